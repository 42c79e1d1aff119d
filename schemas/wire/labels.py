"""Where silver labels are made: of a deferred record, and of a text outside the stream."""

from __future__ import annotations

from schemas.files.task import Task
from schemas.types import Annotated, LabelSource, Opinion, SilverLabel, TeacherRequest
from schemas.wire.events import Answered


def teacher_label(
    request: TeacherRequest,
    answer: Answered,
    *,
    task_digest: str,
    now_ms: int,
    producer: str = "",
    opinions: tuple[Opinion, ...] = (),
) -> SilverLabel:
    """Make the label of a deferred record.

    `task_digest` is that of the task the teacher answered by, `producer` who sent the record,
    `opinions` what others say of it.
    """
    return SilverLabel(
        task=request.task,
        task_digest=task_digest,
        text=request.text,
        entities=answer.entities,
        categories=answer.categories,
        source="teacher",
        audit=request.audit,
        teacher_model=answer.model,
        prompt_version=answer.prompt_version,
        student_version=request.student_version,
        record_id=request.record_id,
        weight=1.0,
        labelled_at_ms=now_ms,
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        producer=producer,
        asked=answer.asked,
        teacher=answer.teacher,
        opinions=opinions,
    )


def cold_label(
    text: str,
    said: Annotated,
    *,
    task: Task,
    source: LabelSource,
    now_ms: int,
    answer: Answered | None = None,
    producer: str = "",
) -> SilverLabel:
    """Make a label that no record of the stream asked for; `producer` is who sent the text."""
    return SilverLabel(
        task=task.name,
        task_digest=task.digest,
        text=text,
        entities=said.entities,
        categories=said.categories,
        source=source,
        audit=False,
        teacher_model=answer.model if answer else "",
        prompt_version=answer.prompt_version if answer else "",
        student_version="",
        record_id="",
        weight=1.0,
        labelled_at_ms=now_ms,
        tokens_in=answer.tokens_in if answer else 0,
        tokens_out=answer.tokens_out if answer else 0,
        asked=answer.asked if answer else "",
        teacher=answer.teacher if answer else "",
        producer=producer,
    )
