"""How soon canaries notice another teacher, and how often they cry wolf: over recorded answers.

`python -m tests.benchmarks.canaries --data DATA --json FILE [--dev]`. A trial draws its texts at
random from those that both models of a pair were asked about, and plays the history that a worker
would write: the texts that `next_canary` chooses, answered by the first model, and from the middle
of the run on by the second. The models name themselves alike, so that the answers alone tell. A
text that a file of answers leaves out is a refusal.

Without a change the same is played to the end: by one model as recorded, and by unsteady ones,
which give another model's answer, or none, to a random share of what they are asked.

`--dev` plays the pairs that the detector's constants were chosen on, in place of those it is judged
by.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from schemas.canaries.trust import TeacherTrust
from schemas.types import Canary, Fact, text_digest
from stream.teach.canaries import next_canary
from stream.teach.canary_texts import MOST_TEXTS, CanarySet, CanaryText

RUNS = (400, 1_000, 5_000)
"""Answers in all; the teacher changes in the middle."""
CALM = 5_000
TRIALS = 20
_UNSTEADY = (0.0, 0.02, 0.1, 0.3)
_PACE_MS = 1_000
_COLUMNS = ("before", "after", "agreement", "answers", "within_200", "median", "most", "early")
_SLIPPED = ("slipped_trials", "slipped_most")

Answers = Mapping[str, frozenset[Fact] | None]
Says = Callable[[str], frozenset[Fact] | None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run: the answer at which the change was noticed, from 0, and the first that is held back.

    None where nothing was noticed.
    """

    noticed: int | None
    held_from: int | None


def read_answers(path: Path) -> Answers:
    """Read a file of recorded answers: the facts by text, None for a refusal."""
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return {one["text"]: _facts(one) for one in records}


def _facts(record: Mapping[str, Any]) -> frozenset[Fact] | None:
    if (categories := record.get("llm_categories")) is not None:
        return frozenset((0, 0, label) for label in categories)
    if (entities := record.get("llm_entities")) is None:
        return None
    return frozenset((one["start"], one["end"], one["label"]) for one in entities)


def _changes(at: int, before: Says, after: Says) -> Callable[[int], Says]:
    return lambda n: before if n < at else after


def play(says: Callable[[int], Says], texts: Sequence[str], n: int) -> Outcome:
    """Play `n` answers to the texts; `says` tells who answers at each."""
    known = {text_digest(text): CanaryText(text) for text in texts}
    canaries = CanarySet("benchmark", known)
    trust = TeacherTrust()
    for at in range(n):
        digest = next_canary(canaries, trust.epoch)
        trust.take(_entry(at, digest, says(at)(known[digest].text)))
        if trust.hold:
            # Labels of the time after this answer are held back, and with them the next answer.
            return Outcome(at, trust.hold.since_ms // _PACE_MS + 1)
    return Outcome(None, None)


def _entry(at: int, digest: str, said: frozenset[Fact] | None) -> Canary:
    return Canary(
        "task",
        "digest",
        "answer",
        at * _PACE_MS,
        teacher="the same name",
        prompt_version="prompt",
        text_digest=digest,
        outcome="refused" if said is None else "answered",
        facts=tuple(sorted(said or ())),
        model="the same name",
    )


def unsteady(answers: Answers, other: Answers, share: float, lot: random.Random) -> Says:
    """Answer as recorded, but for a share: half of it as the other does, half of it not at all."""

    def says(text: str) -> frozenset[Fact] | None:
        drawn = lot.random()
        if drawn < share / 2:
            return None
        return other.get(text) if drawn < share else answers.get(text)

    return says


def changing(before: Answers, after: Answers, n: int) -> dict[str, Any]:
    """Change the teacher in the middle of `n` answers, `TRIALS` times with other texts."""
    half, delays, early, slipped = n // 2, [], 0, []
    for seed in range(TRIALS):
        texts = _drawn([before, after], random.Random(seed))
        outcome = play(_changes(half, before.get, after.get), texts, n)
        if outcome.noticed is not None and outcome.noticed < half:
            early += 1
            continue
        delays.append(n if outcome.noticed is None else outcome.noticed - half + 1)
        slipped.append(max(0, (outcome.held_from or 0) - half))
    return {
        "answers": n,
        "trials": TRIALS,
        "early": early,
        "within_200": sum(delay <= 200 for delay in delays),
        "median": median(delays),
        "most": max(delays),
        "slipped_most": max(slipped),
        "slipped_trials": sum(x > 0 for x in slipped),
    }


def calm(answers: Answers, other: Answers, share: float, *, trials: int) -> dict[str, Any]:
    """Ask a teacher that never changes `CALM` times; count the runs with an alarm."""
    alarms = 0
    for seed in range(trials):
        lot = random.Random(seed)
        texts = _drawn([answers, other], lot)
        says = unsteady(answers, other, share, lot)
        alarms += play(_changes(0, says, says), texts, CALM).noticed is not None
    return {"unsteady": share, "answers": CALM, "trials": trials, "alarms": alarms}


def _drawn(all_answers: Sequence[Answers], lot: random.Random) -> list[str]:
    """Draw texts that one of the models answered: what none did is no canary."""
    texts = sorted({text for answers in all_answers for text in answers})
    return lot.sample(texts, min(MOST_TEXTS, len(texts)))


def pairs(data: Path, *, dev: bool) -> Iterator[tuple[Path, Path]]:
    """Give the pairs of files whose models were asked about the same texts."""
    if dev:
        wikigold, fewnerd = data / "llm_wikigold_gpt35", data / "llm_fewnerd_rerank"
        yield wikigold / "gpt-3.5_single.jsonl", wikigold / "gpt-3.5_vote5.jsonl"
        yield fewnerd / "student_5-shot-0.jsonl", fewnerd / "student_20-shot-0.jsonl"
        return
    for folder in ("llm_isear", "llm_crossner_ai_tags"):
        yield from combinations(sorted((data / folder).glob("*.jsonl")), 2)


def agreement(one: Answers, other: Answers) -> float:
    """Share of the texts of both to which both say the same."""
    both = [text for text in one if text in other]
    return sum(one[text] == other[text] for text in both) / len(both)


def measured(data: Path, *, dev: bool) -> dict[str, Any]:
    """Play all pairs; one way, for the test knows no direction: distances have none."""
    found: list[dict[str, Any]] = []
    still: list[dict[str, Any]] = []
    for paths in pairs(data, dev=dev):
        read = {path: read_answers(path) for path in paths}
        before, after = paths
        told = {
            "before": before.stem,
            "after": after.stem,
            "agreement": agreement(read[before], read[after]),
        }
        found += [told | changing(read[before], read[after], n) for n in RUNS]
        still += [
            told | calm(read[before], read[after], share, trials=TRIALS // 4) for share in _UNSTEADY
        ]
    return {"changed": found, "calm": still}


def shown(result: Mapping[str, Any]) -> Iterator[Table]:
    """Make a table of each part."""
    table = Table(*_COLUMNS, *_SLIPPED, title="the teacher changes in the middle")
    for row in result["changed"]:
        table.add_row(*(_cell(row[name]) for name in (*_COLUMNS, *_SLIPPED)))
    yield table
    still = Table("unsteady", "runs", "alarms", title=f"{CALM} answers of one teacher")
    for share in _UNSTEADY:
        rows = [row for row in result["calm"] if row["unsteady"] == share]
        runs, alarms = (sum(row[name] for row in rows) for name in ("trials", "alarms"))
        still.add_row(_cell(share), str(runs), str(alarms))
    yield still


def _cell(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--dev", action="store_true")
    given = parser.parse_args()
    result = measured(given.data, dev=given.dev)
    for table in shown(result):
        Console().print(table)
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
