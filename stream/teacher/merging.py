"""A correction that takes from student and teacher what each is known to know better: pure.

Without evidence it is the teacher's answer, unchanged.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from schemas.types import Annotated, Category, Entity, facts
from stream.teacher.reliability import Disagreement, Part, Reliability, disagreements, fact_of


@dataclass(frozen=True, slots=True)
class Merged:
    """What a correction says; sorted, spans without overlaps.

    `confidence` is that of its least sure fact: 1 where all are the teacher's.
    """

    entities: tuple[Entity, ...]
    categories: tuple[Category, ...]
    confidence: float


def merged(
    student: Annotated, teacher: Annotated, reliability: Reliability, *, choose_one: bool
) -> Merged | None:
    """Merge span by span; None where the teacher's answer stands as it is.

    Facts that both say are the teacher's. Where they disagree the student is followed in the
    cells in which it is known to be right more often, and the teacher in all others. Tangles of
    more than two spans are whose who leads.
    """
    found = list(disagreements(student, teacher, choose_one=choose_one))
    students = [one for one in found if reliability.follows_student(one.cell)]
    if reliability.student_leads:
        parts = _led_by_student(student, teacher, [one for one in found if one not in students])
    else:
        parts = _led_by_teacher(teacher, students)
    if {fact_of(part) for part in parts} == facts(teacher):
        return None
    return Merged(
        entities=tuple(sorted(part for part in parts if isinstance(part, Entity))),
        categories=tuple(sorted(part for part in parts if isinstance(part, Category))),
        confidence=min((part.confidence for part in parts), default=1.0),
    )


def _led_by_teacher(teacher: Annotated, followed: Collection[Disagreement]) -> list[Part]:
    gone = {fact_of(one.teachers) for one in followed if one.teachers is not None}
    added = [one.students for one in followed if one.students is not None]
    return [*(part for part in _said(teacher) if fact_of(part) not in gone), *added]


def _led_by_student(
    student: Annotated, teacher: Annotated, followed: Collection[Disagreement]
) -> list[Part]:
    """Take the student's facts but where the teacher is followed; what both say is his."""
    gone = {fact_of(one.students) for one in followed if one.students is not None}
    added = [one.teachers for one in followed if one.teachers is not None]
    sure = {fact_of(part): part for part in _said(teacher)}
    kept = [sure.get(fact_of(x), x) for x in _said(student) if fact_of(x) not in gone]
    return [*kept, *added]


def _said(tagging: Annotated) -> list[Part]:
    return [*tagging.entities, *tagging.categories]
