"""Labels as examples again, for a person to look at and correct; and what comes back unchanged.

An export is brought back as a person's labels, but what nobody changed is no person's word: it
stays whose it was. That is seen by the label that stands, whatever the format. Where that has
changed meanwhile, formats with notes of a record's own still tell: the export leaves in them a
digest of the labels that it wrote.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

from schemas.alignment import aligned
from schemas.files.corpus import Example
from schemas.files.task import Task
from schemas.types import Fact, LabelSource, SilverLabel, facts, text_digest

Giver = Literal["human", "teacher"]

_SOURCES: dict[Giver, frozenset[LabelSource]] = {
    "human": frozenset({"human"}),
    "teacher": frozenset({"teacher", "bootstrap", "judging"}),
}
_EXPORTED = "exported_spans"
"""The note's name, as exports of spans have it; categories are noted under it too."""
UNCHANGED = "unchanged"
"""Why a label that is brought back is not written."""


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


def is_unchanged(example: Example, label: SilverLabel) -> bool:
    """Whether a person who brings the example back has changed nothing.

    That is so where it says what `label`, which stands, says; or what the teacher's label said
    that was exported.
    """
    said = facts(example)
    if said == facts(_example(label)):
        return True
    by_teacher = example.meta.get("source") in _SOURCES["teacher"]
    return by_teacher and example.meta.get(_EXPORTED) == _digest(said)


def _why_not(label: SilverLabel, task: Task, source: Giver | None, min_weight: float) -> str:
    if label.task_digest not in task.versions:
        return "other_task_version"
    if source is not None and label.source not in _SOURCES[source]:
        return "other_source"
    return "" if label.weight >= min_weight else "under_min_weight"


def _example(label: SilverLabel) -> Example:
    name = label.record_id or text_digest(label.text)[:16]
    entities = aligned(label.text, label.entities)
    example = Example(name, label.text, entities, categories=label.categories)
    return replace(example, meta=_meta(label, facts(example)))


def _digest(said: Iterable[Fact]) -> str:
    return hashlib.sha256(json.dumps(sorted(said)).encode()).hexdigest()[:16]


def _meta(label: SilverLabel, said: Iterable[Fact]) -> dict[str, Any]:
    return {
        "source": label.source,
        "weight": label.weight,
        "audit": label.audit,
        "labelled_at_ms": label.labelled_at_ms,
        _EXPORTED: _digest(said),
    }
