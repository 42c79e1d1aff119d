from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest

from schemas.types import Entity, EntityEvent, Tagging, text_digest
from schemas.wire.events import (
    corrected,
    first_revision,
    revised_by_other,
    revised_by_student,
    uncorrected,
)
from stream.teacher.protocol import Answer
from stream.testing.messages import a_request

STUDENTS = (Entity(0, 3, "PER", "Ada", 0.4),)
TEACHERS = (Entity(0, 3, "LOC", "Ada"),)

REQUEST = a_request(
    task="people",
    task_digest="asked",
    record_id="news-3-41",
    source_timestamp_ms=7,
    text="Ada",
    entities=STUDENTS,
    policy_version="p",
)

ANSWER = Answer(TEACHERS, "m", "pv", tokens_in=11, tokens_out=3, cached=False)


def _first(*, deferred: bool = True) -> EntityEvent:
    return first_revision(
        Tagging(STUDENTS, confidence=0.4, score=0.3),
        task="people",
        task_digest="asked",
        record_id="news-3-41",
        digest=text_digest("Ada"),
        reason="low_confidence",
        deferred=deferred,
        student_version="v1",
        policy_version="p",
        source_timestamp_ms=7,
        now_ms=8,
    )


def test_a_first_revision_is_provisional_while_a_correction_is_to_come() -> None:
    first = _first(deferred=True)
    assert (first.revision, first.status, first.decided_by) == (1, "provisional", "student")
    assert (first.entities, first.confidence) == (STUDENTS, 0.4)
    assert _first(deferred=False) == replace(first, status="final")


def test_a_correction_differs_from_the_first_revision_in_what_the_teacher_decided() -> None:
    assert corrected(REQUEST, ANSWER, task_digest="answered", now_ms=9) == replace(
        _first(),
        task_digest="answered",
        entities=TEACHERS,
        confidence=1.0,
        decided_by="teacher",
        revision=2,
        status="final",
        teacher_model="m",
        prompt_version="pv",
        produced_at_ms=9,
    )


def test_a_missing_correction_keeps_all_that_the_student_said_but_the_reason() -> None:
    assert uncorrected(REQUEST, reason="refused", now_ms=9) == replace(
        _first(), revision=2, status="final", reason="refused", produced_at_ms=9
    )


WHERE = {
    "task": "people",
    "task_digest": "asked",
    "record_id": "news-3-41",
    "digest": text_digest("Ada"),
}


def test_a_later_students_revision_is_final_and_names_that_student() -> None:
    tagging = Tagging(TEACHERS, confidence=0.7, score=0.3)
    assert revised_by_student(
        tagging,
        **WHERE,
        revision=3,
        student_version="v2",
        policy_version="q",
        source_timestamp_ms=7,
        now_ms=9,
    ) == replace(
        _first(deferred=False),
        entities=TEACHERS,
        confidence=0.7,
        revision=3,
        reason="revised",
        student_version="v2",
        policy_version="q",
        produced_at_ms=9,
    )


@pytest.mark.parametrize(
    ("decided_by", "of_teacher"),
    [("person", {}), ("teacher", {"teacher_model": "m", "prompt_version": "pv"})],
)
def test_a_revision_of_a_person_or_the_teacher_is_sure_and_names_no_student(
    decided_by: Literal["person", "teacher"], of_teacher: Any
) -> None:
    said = Tagging(TEACHERS, confidence=0.0, score=0.0)
    assert revised_by_other(
        said,
        decided_by=decided_by,
        **WHERE,
        revision=4,
        source_timestamp_ms=7,
        now_ms=9,
        **of_teacher,
    ) == replace(
        _first(deferred=False),
        entities=TEACHERS,
        confidence=1.0,
        decided_by=decided_by,
        revision=4,
        reason="revised",
        student_version="",
        policy_version="",
        produced_at_ms=9,
        **of_teacher,
    )
