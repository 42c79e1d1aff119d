"""Labels that are doubted: what students who did not learn them say, and second opinions. Pure.

A label is doubted where such a student says something else. People's labels never are. A doubted
label counts less; where the teacher was asked again and stands by it, it counts in full, and where
the second opinion is the student's, that is what is learnt. The label on the topic stays as it is.

Sources: weighing by what cross-validated models contradict, Northcutt et al. (2021), "Confident
Learning", arXiv 1911.00068; Wang et al. (2019), "CrossWeigh", for named entities.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from distill.labels.table import LabelTable
from schemas.files.task import Task
from schemas.files.task_identity import asked_facts, unasked_of
from schemas.likeness import likeness
from schemas.types import Annotated, Fact, SilverLabel, Tagging, facts

Reason = Literal["contradicted", "contested", "confirmed", "changed"]
"""Nobody was asked again; the second opinion is a third one, the label's own, or the student's."""
Opinions = Mapping[str, frozenset[Fact]]
"""Second opinions by text."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A doubted label, what a student says in its place, and what became of it."""

    label: SilverLabel
    otherwise: Tagging
    reason: Reason
    weight: float
    """How much it counts, beside a label that nobody doubts."""

    @property
    def learnt(self) -> Annotated:
        """What is learnt of the text."""
        return self.otherwise if self.reason == "changed" else self.label

    def as_dict(self) -> dict[str, Any]:
        """Give a line for people: the text, what was said, by whom, and what is learnt."""
        return {
            "text": self.label.text,
            "reason": self.reason,
            "weight": self.weight,
            "label": _shown(self.label),
            "student": _shown(self.otherwise),
            "student_confidence": self.otherwise.confidence,
            "source": self.label.source,
            "teacher_model": self.label.teacher_model,
        }


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The labels as they are learnt, in their order, without the dropped; and the doubts."""

    labels: Sequence[SilverLabel]
    doubts: tuple[Doubt, ...] = ()


def doubt_counts(doubts: Sequence[Doubt]) -> dict[str, int]:
    """Count the doubts by what became of them."""
    reasons = Counter(doubt.reason for doubt in doubts)
    return {
        "doubted": len(doubts),
        "changed": reasons["changed"],
        "dropped": sum(doubt.weight == 0 for doubt in doubts),
        "asked_again": len(doubts) - reasons["contradicted"],
    }


def fold_of(text: str, folds: int) -> int:
    """Give the fold of a text, by hash: texts that are alike are in one."""
    digest = hashlib.sha256(f"doubt:{likeness(text)}".encode()).digest()
    return int.from_bytes(digest[:8]) % folds


def contradicted(
    labels: Sequence[SilverLabel], taggings: Sequence[Tagging], task: Task
) -> list[tuple[SilverLabel, Tagging]]:
    """Find the labels that a student contradicts, the surest contradiction first."""
    return surest_first(
        (label, tagging)
        for label, tagging in zip(labels, taggings, strict=True)
        if label.source != "human" and asked_facts(tagging, unasked_of(label, task)) != facts(label)
    )


def surest_first(
    doubted: Iterable[tuple[SilverLabel, Tagging]],
) -> list[tuple[SilverLabel, Tagging]]:
    """Sort contradictions."""
    return sorted(doubted, key=lambda pair: -pair[1].confidence)


def settle(
    labels: Sequence[SilverLabel],
    doubted: Sequence[tuple[SilverLabel, Tagging]],
    opinions: Opinions,
    *,
    task: Task,
    weight: float,
) -> Cleaned:
    """Weigh the doubted labels, or change them, by what second opinions there are.

    Where nothing would be left to learn, all is learnt as it is.
    """
    doubts = tuple(
        _settled(label, tagging, opinions.get(label.text), task=task, weight=weight)
        for label, tagging in doubted
    )
    of_text = {doubt.label.text: doubt for doubt in doubts}
    table = LabelTable.of(labels)
    found = enumerate(map(of_text.get, table.texts()))
    learnt = table.changed({at: _learnt(table[at], doubt) for at, doubt in found if doubt})
    kept = learnt.take(learnt.weights > 0)
    return Cleaned(kept, doubts) if kept else Cleaned(table)


def _settled(
    label: SilverLabel,
    tagging: Tagging,
    opinion: frozenset[Fact] | None,
    *,
    task: Task,
    weight: float,
) -> Doubt:
    if opinion is None:
        return Doubt(label, tagging, "contradicted", weight)
    # What the label was not asked about is no matter between the three.
    unasked = unasked_of(label, task)
    opinion = frozenset(fact for fact in opinion if fact[2] not in unasked)
    if opinion == facts(label):
        return Doubt(label, tagging, "confirmed", 1.0)
    if opinion == asked_facts(tagging, unasked):
        return Doubt(label, tagging, "changed", 1.0)
    return Doubt(label, tagging, "contested", weight)


def _learnt(label: SilverLabel, doubt: Doubt) -> SilverLabel:
    said = doubt.learnt
    return replace(
        label,
        entities=tuple(said.entities),
        categories=tuple(said.categories),
        weight=label.weight * doubt.weight,
    )


def _shown(said: Annotated) -> dict[str, Any]:
    if said.categories:
        return {"categories": [one.label for one in said.categories]}
    entities = [{"start": x.start, "end": x.end, "label": x.label} for x in said.entities]
    return {"entities": entities}
