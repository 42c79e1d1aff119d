"""Labels as examples again, for a person to look at and correct."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal

from schemas.alignment import aligned
from schemas.files.corpus import Example
from schemas.files.task import Task
from schemas.types import LabelSource, SilverLabel, text_digest

Giver = Literal["human", "teacher"]

_SOURCES: dict[Giver, frozenset[LabelSource]] = {
    "human": frozenset({"human"}),
    "teacher": frozenset({"teacher", "bootstrap"}),
}


def give_back(
    labels: Iterable[SilverLabel],
    *,
    task: Task,
    source: Giver | None = None,
    min_weight: float = 0.0,
) -> tuple[list[Example], dict[str, int]]:
    """Choose labels of today's task, and count the others by reason.

    `source` and `min_weight` choose further. Of two labels of one text the later counts. The
    spans are fitted to words, as training does it.
    """
    left_out: Counter[str] = Counter()
    chosen = []
    for label in {label.text: label for label in labels}.values():
        if reason := _why_not(label, task, source, min_weight):
            left_out[reason] += 1
        else:
            chosen.append(_example(label))
    return chosen, dict(left_out)


def _why_not(label: SilverLabel, task: Task, source: Giver | None, min_weight: float) -> str:
    if label.task_digest not in task.versions:
        return "other_task_version"
    if source is not None and label.source not in _SOURCES[source]:
        return "other_source"
    return "" if label.weight >= min_weight else "under_min_weight"


def _example(label: SilverLabel) -> Example:
    name = label.record_id or text_digest(label.text)[:16]
    return Example(name, label.text, aligned(label.text, label.entities), _meta(label))


def _meta(label: SilverLabel) -> dict[str, Any]:
    return {
        "source": label.source,
        "weight": label.weight,
        "audit": label.audit,
        "labelled_at_ms": label.labelled_at_ms,
    }
