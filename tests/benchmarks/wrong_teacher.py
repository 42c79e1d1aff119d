"""What a teacher costs who is wrong in a share of his answers.

`python -m tests.benchmarks.wrong_teacher STREAM HELD_OUT --work FOLDER --share 0.2 OPTIONS`
makes answers from the labelled corpus STREAM, of which by lot a share is wrong, and runs
`silverstream replay OPTIONS` with them; `--share 0` is a teacher who is always right. One line of
JSON tells the students on HELD_OUT against people's labels, and the rounds' decisions. A wrong
answer misses a mention, gives one another label or other bounds, or marks a word that is none
(each as likely); for categories it is another category.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from schemas.files.corpus import Example, read_corpus, write_jsonl
from schemas.types import Entity


def answers(stream: Sequence[Example], share: float, seed: int) -> list[Example]:
    """Give each text's answer as a recorded one, so many of them wrong by lot."""
    labels = sorted({x.label for one in stream for x in one.entities})
    categories = sorted({x for one in stream for x in one.categories or ()})
    given = []
    for one in stream:
        lots = random.Random(f"{seed}:{one.id}")
        wrong = lots.random() < share
        if categories:
            said = one.categories or ()
            if wrong:
                said = (lots.choice([x for x in categories if x not in said]),)
            given.append(replace(one, llm_categories=said))
        else:
            found = _spoilt(one, labels, lots) if wrong else one.entities
            given.append(replace(one, llm_entities=found))
    return given


def _spoilt(one: Example, labels: Sequence[str], lots: random.Random) -> tuple[Entity, ...]:
    """Give a text's mentions with one mistake; without a mention there is but one to make."""
    mentions = list(one.entities)
    mistake = lots.choice(("missed", "label", "bounds", "spurious")) if mentions else "spurious"
    if mistake == "spurious":
        return tuple(sorted([*mentions, *_invented(one, labels, lots)], key=lambda x: x.start))
    at = lots.randrange(len(mentions))
    old = mentions.pop(at)
    if mistake == "label":
        other = lots.choice([x for x in labels if x != old.label])
        mentions.insert(at, replace(old, label=other))
    elif mistake == "bounds" and " " in old.surface:
        end = old.start + old.surface.rindex(" ")
        mentions.insert(at, Entity(old.start, end, old.label, one.text[old.start : end]))
    return tuple(mentions)


def _invented(one: Example, labels: Sequence[str], lots: random.Random) -> list[Entity]:
    """Mark a word that no mention touches, where there is one."""
    words, at = [], 0
    for word in one.text.split():
        start = one.text.index(word, at)
        at = start + len(word)
        if all(at <= x.start or x.end <= start for x in one.entities):
            words.append((start, at))
    if not words:
        return []
    start, end = lots.choice(words)
    return [Entity(start, end, lots.choice(labels), one.text[start:end])]


def played(given: argparse.Namespace, options: Sequence[str]) -> dict[str, Any]:
    """Run the replay and pick its figures."""
    given.work.mkdir(parents=True, exist_ok=True)
    teacher, result = given.work / "answers.jsonl", given.work / "replay.json"
    write_jsonl(teacher, answers(read_corpus(given.stream), given.share, given.seed))
    command = [sys.executable, "-m", "stream.cli.main", "replay", "--stream", str(given.stream)]
    command += ["--held-out", str(given.held_out), "--teacher", str(teacher)]
    command += ["--seed", str(given.seed), "--json", str(result), *options]
    with (given.work / "replay.log").open("wb") as log:
        subprocess.run(command, stdout=log, stderr=log, check=True)
    facts = json.loads(result.read_text())
    return {
        "share": given.share,
        "seed": given.seed,
        "stream": str(given.stream),
        "students": facts["students"],
        "rounds": [
            {
                key: one[key]
                for key in ("promoted", "reason", "student", "student_f1", "student_accuracy")
            }
            for one in facts["rounds"]
        ],
        "lost": facts["lost"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("stream", type=Path)
    parser.add_argument("held_out", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=0)
    given, options = parser.parse_known_args()
    Console(soft_wrap=True).print_json(json.dumps(played(given, options)), indent=None)


if __name__ == "__main__":
    main()
