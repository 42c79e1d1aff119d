"""What a request's student is unsure of: how the teacher is asked about it, and the answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from schemas.types import UNSURE, Doubt, Entity, TeacherRequest
from stream.teacher.kinds.said import Said
from stream.teacher.merging import Merged
from stream.teacher.protocol import Answer, Unsure
from stream.teacher.reliability import fact_of


def unsure_of(request: TeacherRequest, *, task_digest: str) -> Unsure | None:
    """Give what to ask about alone; None where the text is to be asked about whole.

    That is so for audits: seen with the student's eyes, the teacher would judge it too kindly. And
    for a student of another task than the teacher's, for it may know other labels.
    """
    if request.audit or not request.doubts or request.task_digest != task_digest:
        return None
    return Unsure(_sure(request), request.doubts)


def with_students_confidence(request: TeacherRequest, answer: Answer) -> Answer:
    """Give an answer about doubts in which what the student was sure of is as sure as it was."""
    if answer.asked not in UNSURE:
        return answer
    sure = _sure(request)
    entities = {fact_of(one): one for one in sure.entities}
    categories = {one.label: one for one in sure.categories}
    return replace(
        answer,
        entities=tuple(entities.get(fact_of(one), one) for one in answer.entities),
        categories=tuple(categories.get(one.label, one) for one in answer.categories),
    )


def joined(answer: Answer) -> Merged | None:
    """Give the correction of both that an answer about doubts is; None for any other answer."""
    if answer.asked not in UNSURE:
        return None
    confidences = [
        *(one.confidence for one in answer.entities),
        *(one.confidence for one in answer.categories),
    ]
    return Merged(answer.entities, answer.categories, confidence=min(confidences, default=1.0))


def _sure(request: TeacherRequest) -> Said:
    """Give what the student says and has no doubt about."""
    open_ = {choice.label for doubt in request.doubts for choice in doubt.choices}
    return Said(
        tuple(one for one in request.entities if not _in_doubt(one, request.doubts)),
        tuple(one for one in request.categories if one.label not in open_),
    )


def _in_doubt(one: Entity, doubts: Iterable[Doubt]) -> bool:
    return any(one.start < doubt.end and doubt.start < one.end for doubt in doubts)
