"""A correction that takes from student and teacher what each is known to know better: pure.

Without evidence it is the teacher's answer, unchanged.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from schemas.types import Annotated, Category, Entity
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
    cells in which it is proved to be right more often, and the teacher in all others.
    """
    followed = [
        one
        for one in disagreements(student, teacher, choose_one=choose_one)
        if reliability.follows_student(one.cell)
    ]
    if not followed:
        return None
    parts = _applied(teacher, followed)
    return Merged(
        entities=tuple(sorted(part for part in parts if isinstance(part, Entity))),
        categories=tuple(sorted(part for part in parts if isinstance(part, Category))),
        confidence=min((part.confidence for part in parts), default=1.0),
    )


def _applied(teacher: Annotated, followed: Collection[Disagreement]) -> list[Part]:
    said: list[Part] = [*teacher.entities, *teacher.categories]
    gone = {fact_of(one.teachers) for one in followed if one.teachers is not None}
    added = [one.students for one in followed if one.students is not None]
    return [*(part for part in said if fact_of(part) not in gone), *added]
