"""What changes of what was published: pure.

People go before the teacher, and the teacher before the student: student and teacher overturn only
what a student decided. Of two people the later one counts. An event changes when its facts do;
another confidence alone is no news to anyone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.types import Category, Entity, Tagging, facts
from stream.revise.standing import Standing, Survey

FIRST_REVISION = 3
"""The lowest number: 1 and 2 are the lanes' and the teacher's, of which either may still come."""

Kept = Literal[
    "same",  # the student, or the person, says what stands
    "same_student",  # this very student decided what stands: it would say so again
    "teacher",  # the teacher decided, whom the student does not overturn
    "awaits_teacher",  # provisional: the teacher's answer is to come
    "person",  # a person decided, whom only a later person overturns
    "not_tagged",  # lanes have not come to it yet
    "no_event",  # it was a dead letter
    "delete",  # no value
    "unreadable",  # it cannot be read as a text
    "tagging_failed",  # the student failed on it
]
"""Why a record keeps what stands."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a person says of a text, and since when (milliseconds since the epoch)."""

    entities: tuple[Entity, ...]
    categories: tuple[Category, ...]
    since_ms: int


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """What the teacher said of a text, to judge a round or for another record."""

    entities: tuple[Entity, ...]
    categories: tuple[Category, ...]
    model: str
    prompt_version: str


def by_person(standing: Standing | None, ruling: Ruling) -> Kept | None:
    """Tell why what stands is kept against a person; None where the person overturns it."""
    if standing is None:
        return None
    if standing.facts == facts(ruling) and not standing.provisional:
        return "same"
    if standing.decided_by == "person" and standing.produced_at_ms >= ruling.since_ms:
        return "person"
    return None


def by_teacher(standing: Standing | None, answer: KnownAnswer) -> Kept | None:
    """Tell why what stands is kept against the teacher; None where the answer overturns it."""
    if standing is None:
        return None
    return _above_student(standing) or ("same" if standing.facts == facts(answer) else None)


def before_student(standing: Standing | None, *, student_version: str) -> Kept | None:
    """Tell why the student need not even be asked; None where it is to be."""
    if standing is None:
        return None
    if kept := _above_student(standing):
        return kept
    return "same_student" if standing.student_version == student_version else None


def _above_student(standing: Standing) -> Kept | None:
    """Tell who above the student decided, or is going to."""
    if standing.decided_by == "person":
        return "person"
    if standing.decided_by in {"teacher", "both"}:
        return "teacher"
    return "awaits_teacher" if standing.provisional else None


def by_student(standing: Standing | None, tagging: Tagging) -> Kept | None:
    """Tell why what a student decided is kept; None where this student overturns it."""
    return "same" if standing is not None and standing.facts == facts(tagging) else None


def without_standing(survey: Survey, offset: int) -> Kept | None:
    """Tell why a record of which nothing stands stays so; None where its event has expired."""
    if not survey.is_tagged(offset):
        return "not_tagged"
    return None if survey.is_expired(offset) else "no_event"


def next_revision(standing: Standing | None) -> int:
    """Give the number of the revision that is to be published."""
    return max(FIRST_REVISION, standing.revision + 1 if standing else 0)
