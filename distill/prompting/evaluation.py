"""How well a prompt's answers agree with gold: figures with intervals, and what goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from distill.judging.scoring import score, score_intervals
from distill.prompting.mistakes import Slip, counted, slips_of
from schemas.files.corpus import Example
from schemas.files.kind import Kind
from schemas.types import Fact, facts

EXAMPLES: Final = 3
"""Of each sort of mistake, so many are shown."""


@dataclass(frozen=True, slots=True)
class Sureness:
    """How intervals are drawn: the settings of the gate."""

    resamples: int
    confidence: float
    seed: int


def figures(
    gold: Sequence[Example], said: Sequence[frozenset[Fact]], sureness: Sureness
) -> dict[str, Any]:
    """Give precision, recall and F1 with their intervals, over all and per label."""
    wanted = [facts(one) for one in gold]
    labels = sorted({label for one in (*wanted, *said) for _, _, label in one})
    per_label = {
        label: _figures(_of_label(wanted, label), _of_label(said, label), sureness)
        for label in labels
    }
    return {"records": len(gold), **_figures(wanted, said, sureness), "per_label": per_label}


def summary(
    gold: Sequence[Example], said: Sequence[frozenset[Fact]], sureness: Sureness
) -> dict[str, Any]:
    """Give the figures over all, for the file of a version."""
    found = figures(gold, said, sureness)
    return {name: value for name, value in found.items() if name != "per_label"}


def mistakes(
    gold: Sequence[Example], said: Sequence[frozenset[Fact]], *, kind: Kind
) -> list[dict[str, Any]]:
    """Give the sorts of mistakes, the most frequent first, each with some examples."""
    slips = [
        slip
        for one, answer in zip(gold, said, strict=True)
        for slip in slips_of(one.text, facts(one), answer, kind=kind)
    ]
    return [
        {
            "wrong": wrong,
            "expected": expected,
            "answered": answered,
            "count": n,
            "examples": [x.as_dict() for x in _some(slips, wrong, (expected, answered))],
        }
        for (wrong, expected, answered), n in counted(slips).most_common()
    ]


def _some(slips: Sequence[Slip], wrong: str, labels: tuple[str, str]) -> list[Slip]:
    return [x for x in slips if x.wrong == wrong and x.labels == labels][:EXAMPLES]


def _of_label(said: Sequence[frozenset[Fact]], label: str) -> list[frozenset[Fact]]:
    return [frozenset(x for x in one if x[2] == label) for one in said]


def _figures(
    gold: Sequence[frozenset[Fact]], said: Sequence[frozenset[Fact]], sureness: Sureness
) -> dict[str, Any]:
    intervals = score_intervals(
        gold,
        said,
        resamples=sureness.resamples,
        confidence=sureness.confidence,
        seed=sureness.seed,
    )
    return {**score(gold, said).overall.as_dict(), "intervals": intervals.as_dict()}
