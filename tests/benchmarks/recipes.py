"""Single trainings on the labels of a finished replay: what a change of the recipe is worth.

`python -m tests.benchmarks.recipes WORK '{}' '{"label_half_life": 0.125}'` trains once for each
change on the training split of the last round in WORK, the folder that `silverstream replay --work
WORK` leaves, and prints strict span F1 on its gold and its held-out file. `--stream FILE`, the
replay's own and by date, gives the texts that self-training tags. One seed: two seeds differ by up
to 1.5 points.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from distill.bundle.export import export_bundle
from distill.labels.judges import frozen_texts
from distill.labels.snapshot import Snapshot, read_snapshot
from distill.labels.splits import split
from distill.learning.ageing import aged_examples
from distill.learning.self_training import learn
from schemas.files.corpus import read_corpus
from schemas.files.task_file import load_task
from schemas.settings import Recipe, Settings, load_settings
from schemas.types import text_digest
from stream.lab.replay.jury import on_held_out
from stream.lab.replay.plan import ordered
from stream.student import Student


def last_snapshot(folder: Path) -> Snapshot:
    """Find what the newest round below `folder` was trained on, by its manifest."""
    manifest = max(folder.glob("*/rounds/*/manifest.json"), key=lambda path: path.parent.name)
    digest = json.loads(manifest.read_text(encoding="utf-8"))["lineage"]["snapshot"]
    return read_snapshot(manifest.parents[2] / f"labels-{digest[:16]}.parquet", digest=digest)


def newest_unlabelled(stream: Path | None, snapshot: Snapshot, frozen: frozenset[str]) -> list[str]:
    """Give the texts of a corpus by date that have no label and judge nothing."""
    known = frozen | {text_digest(label.text) for label in snapshot.labels}
    examples = ordered(read_corpus(stream), order="date", seed=0) if stream else ()
    return [one.text for one in examples if text_digest(one.text) not in known]


def trained_f1(
    settings: Settings, snapshot: Snapshot, change: dict[str, Any], stream: Path | None
) -> list[str]:
    """Train by the changed recipe; give the cells of one line of the table."""
    distill, task = settings.distill, load_task(settings.task)
    corpora = [path for path in (distill.gold, *distill.held_out) if path]
    frozen = frozen_texts(corpora)
    splits = split(snapshot.labels, task=task, frozen_texts=frozen)
    recipe = Recipe.model_validate(settings.recipe_of(task.kind).model_dump() | change)
    learnt = learn(
        aged_examples(splits.training, task),
        task=task,
        recipe=recipe,
        seed=distill.seed,
        unlabelled=lambda: newest_unlabelled(stream, snapshot, frozen),
    )
    exported = export_bundle(
        learnt.trained,
        task=task,
        version="trial",
        calibration=(),
        parity_texts=[label.text for label in splits.training],
        lineage={},
    )
    student = Student(exported.bundle)
    f1s = [on_held_out(student, read_corpus(path), seed=0).f1 for path in corpora]
    trained = learnt.trained
    figures = (f"{len(splits.training)}", f"{trained.steps}", f"{trained.cpu_s:.0f}")
    found = json.dumps({name: round(value, 3) for name, value in learnt.ageing.facts().items()})
    return [json.dumps(change), *figures, found, ", ".join(f"{100 * f1:.1f}" for f1 in f1s)]


def main() -> None:
    """Train once for each change; print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("changes", type=json.loads, nargs="+")
    parser.add_argument("--stream", type=Path)
    options = parser.parse_args()
    settings = load_settings(options.work / "settings.yaml")
    snapshot = last_snapshot(settings.distill.folder)
    table = Table("change", "labels", "steps", "CPU s", "ageing", "F1 on gold and held-out, %")
    for change in options.changes:
        table.add_row(*trained_f1(settings, snapshot, change, options.stream))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
