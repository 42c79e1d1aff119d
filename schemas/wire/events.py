"""Where entity events are made: the first revision, the final revision 2, and later ones.

Pure: values in, an event out. Its headers are made in `schemas.wire.headers`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, Protocol

from schemas.types import Annotated, AskedAs, EntityEvent, Tagging, TeacherRequest, text_digest

REVISED = "revised"
"""Reason of a revision 3 or later."""


class Answered(Annotated, Protocol):
    """What an event and a label take from a teacher's grounded answer."""

    @property
    def model(self) -> str:
        """The name that the endpoint gave."""
        ...

    @property
    def teacher(self) -> str:
        """Which of several teachers answered, by its name in the settings; "" of one alone."""
        ...

    @property
    def prompt_version(self) -> str:
        """The version of the prompt that was answered."""
        ...

    @property
    def asked(self) -> AskedAs:
        """How it was asked for."""
        ...

    @property
    def tokens_in(self) -> int:
        """Billed for this answer."""
        ...

    @property
    def tokens_out(self) -> int:
        """Billed for this answer."""
        ...


def first_revision(
    tagging: Tagging,
    *,
    task: str,
    task_digest: str,
    record_id: str,
    digest: str,
    reason: str,
    deferred: bool,
    student_version: str,
    policy_version: str,
    source_timestamp_ms: int,
    now_ms: int,
) -> EntityEvent:
    """Make the student's event: provisional when the record is deferred, else final.

    `digest` is that of the text.
    """
    return EntityEvent(
        task=task,
        task_digest=task_digest,
        record_id=record_id,
        text_digest=digest,
        entities=tagging.entities,
        categories=tagging.categories,
        confidence=tagging.confidence,
        decided_by="student",
        revision=1,
        status="provisional" if deferred else "final",
        reason=reason,
        student_version=student_version,
        policy_version=policy_version,
        teacher_model="",
        prompt_version="",
        source_timestamp_ms=source_timestamp_ms,
        produced_at_ms=now_ms,
    )


def corrected(
    request: TeacherRequest, answer: Answered, *, task_digest: str, now_ms: int
) -> EntityEvent:
    """Make the final revision 2 with the teacher's answer.

    `task_digest` is that of the task the teacher answered by.
    """
    return EntityEvent(
        task=request.task,
        task_digest=task_digest,
        record_id=request.record_id,
        text_digest=text_digest(request.text),
        entities=answer.entities,
        categories=answer.categories,
        confidence=1.0,
        decided_by="teacher",
        revision=2,
        status="final",
        reason=request.reason,
        student_version=request.student_version,
        policy_version=request.policy_version,
        teacher_model=answer.model,
        prompt_version=answer.prompt_version,
        source_timestamp_ms=request.source_timestamp_ms,
        produced_at_ms=now_ms,
    )


def corrected_by_both(
    request: TeacherRequest,
    answer: Answered,
    said: Annotated,
    *,
    confidence: float,
    task_digest: str,
    now_ms: int,
) -> EntityEvent:
    """Make the final revision 2 with what was taken from the teacher's answer and the student's."""
    return replace(
        corrected(request, answer, task_digest=task_digest, now_ms=now_ms),
        entities=said.entities,
        categories=said.categories,
        confidence=confidence,
        decided_by="both",
    )


def uncorrected(request: TeacherRequest, *, reason: str, now_ms: int) -> EntityEvent:
    """Make the final revision 2 that keeps the student's tagging."""
    return EntityEvent(
        task=request.task,
        task_digest=request.task_digest,
        record_id=request.record_id,
        text_digest=text_digest(request.text),
        entities=request.entities,
        categories=request.categories,
        confidence=request.confidence,
        decided_by="student",
        revision=2,
        status="final",
        reason=reason,
        student_version=request.student_version,
        policy_version=request.policy_version,
        teacher_model="",
        prompt_version="",
        source_timestamp_ms=request.source_timestamp_ms,
        produced_at_ms=now_ms,
    )


def revised_by_student(
    tagging: Tagging,
    *,
    task: str,
    task_digest: str,
    record_id: str,
    digest: str,
    revision: int,
    student_version: str,
    policy_version: str,
    source_timestamp_ms: int,
    now_ms: int,
) -> EntityEvent:
    """Make the final revision, the third or a later one, of a later student."""
    first = first_revision(
        tagging,
        task=task,
        task_digest=task_digest,
        record_id=record_id,
        digest=digest,
        reason=REVISED,
        deferred=False,
        student_version=student_version,
        policy_version=policy_version,
        source_timestamp_ms=source_timestamp_ms,
        now_ms=now_ms,
    )
    return replace(first, revision=revision)


def revised_by_other(
    said: Annotated,
    *,
    decided_by: Literal["person", "teacher"],
    task: str,
    task_digest: str,
    record_id: str,
    digest: str,
    revision: int,
    source_timestamp_ms: int,
    now_ms: int,
    teacher_model: str = "",
    prompt_version: str = "",
) -> EntityEvent:
    """Make the final revision, the third or a later one, of a person or the teacher.

    `digest` is the text's; model and prompt are the teacher's.
    """
    return EntityEvent(
        task=task,
        task_digest=task_digest,
        record_id=record_id,
        text_digest=digest,
        entities=said.entities,
        categories=said.categories,
        confidence=1.0,
        decided_by=decided_by,
        revision=revision,
        status="final",
        reason=REVISED,
        student_version="",
        policy_version="",
        teacher_model=teacher_model,
        prompt_version=prompt_version,
        source_timestamp_ms=source_timestamp_ms,
        produced_at_ms=now_ms,
    )
