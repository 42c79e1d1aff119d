"""The ceiling of a stream alone: a student of all its gold labels, without playing the stream.

`python -m tests.benchmarks.ceilings STREAM HELD_OUT --seeds 0 1` trains what `silverstream replay
--ceiling` trains, each text as old as its place in STREAM says, and prints a line of JSON a seed.
With `--labels N M` a random N and M of them are learnt: what so many right labels are worth.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
from pathlib import Path

from rich.console import Console

from schemas.files.corpus import read_corpus
from schemas.files.infer import task_of
from schemas.settings import load_settings
from stream.lab.replay.ceiling import ceilings
from stream.lab.replay.progress import LiveProgress


def main() -> None:
    """Train and print, seed by seed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("stream", type=Path)
    parser.add_argument("held_out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--labels", type=int, nargs="+", default=[])
    parser.add_argument("--config", type=Path)
    given = parser.parse_args()
    stream, held_out = [*read_corpus(given.stream)], [*read_corpus(given.held_out)]
    task = task_of([*stream, *held_out], name=given.stream.parent.name)
    ages = [1 - (place + 1) / len(stream) for place in range(len(stream))]
    recipe = load_settings(given.config).recipe_of(task.kind)
    for seed, n in itertools.product(given.seeds, given.labels or [len(stream)]):
        drawn = sorted(random.Random(seed).sample(range(len(stream)), n))  # no secret
        found = ceilings(
            [stream[place] for place in drawn],
            held_out,
            held_out,
            ages=[ages[place] for place in drawn],
            task=task,
            recipes={"ceiling": recipe},
            seed=seed,
            progress=LiveProgress(Console(stderr=True)),
        )
        told = {"seed": seed, "labels": n} | found
        Console(soft_wrap=True).print_json(json.dumps(told), indent=None)


if __name__ == "__main__":
    main()
