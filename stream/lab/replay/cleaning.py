"""What became of doubted labels in a replay, and whether gold says that it was for the better."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from schemas.files.corpus import Example
from schemas.types import Fact, SilverLabel, facts

Learnt = tuple[frozenset[Fact], float]
"""What is learnt of a text, and how much it counts."""


class _Ruling(Protocol):
    @property
    def cleaning(self) -> Mapping[str, int] | None: ...

    @property
    def doubts(self) -> Path | None: ...


def cleaning_played(
    rulings: Sequence[_Ruling], stream: Iterable[Example], labels: Iterable[SilverLabel]
) -> dict[str, Any] | None:
    """Say how the labels of the last round that doubted some were cleaned; None without one.

    `gain` is what that is worth in the labels: micro F1 against gold of all labels of the stream,
    the doubted ones as they are learnt, each by its weight, above that of the labels as they came.
    """
    last = next((one for one in reversed(rulings) if one.cleaning), None)
    if last is None or last.cleaning is None or last.doubts is None:
        return None
    learnt, came = learnt_in(last.doubts), came_in(last.doubts)
    gold = {one.text: facts(one) for one in stream}
    known = [label for label in labels if label.text in gold]
    before = [(gold[one.text], came.get(one.text, (facts(one), 1.0))) for one in known]
    after = [(gold[one.text], learnt.get(one.text, (facts(one), 1.0))) for one in known]
    return dict(last.cleaning) | {"gain": weighted_f1(after) - weighted_f1(before)}


def learnt_in(path: Path) -> dict[str, Learnt]:
    """Read what is learnt of the doubted texts."""
    return {
        one["text"]: (
            _facts(one["student" if one["reason"] == "changed" else "label"]),
            one["weight"],
        )
        for one in _lines(path)
    }


def came_in(path: Path) -> dict[str, Learnt]:
    """Read what the doubted labels said."""
    return {one["text"]: (_facts(one["label"]), 1.0) for one in _lines(path)}


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def weighted_f1(texts: Iterable[tuple[frozenset[Fact], Learnt]]) -> float:
    """Micro F1 over pairs of gold and what is learnt, each text by its weight; 0 of nothing."""
    right = said = 0.0
    for gold, (learnt, weight) in texts:
        right += 2 * weight * len(gold & learnt)
        said += weight * (len(gold) + len(learnt))
    return right / said if said else 0.0


def _facts(shown: Mapping[str, Any]) -> frozenset[Fact]:
    spans = ((one["start"], one["end"], one["label"]) for one in shown.get("entities", ()))
    return frozenset([*spans, *((0, 0, label) for label in shown.get("categories", ()))])
