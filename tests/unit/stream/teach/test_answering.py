from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schemas.errors import (
    BudgetExhaustedError,
    ExpiredError,
    InvalidAnswerError,
    RedactionError,
    RefusedError,
    TeacherUnavailableError,
)
from schemas.settings import QuotaSettings
from schemas.types import Entity, EntityEvent, SilverLabel, TeacherRequest
from schemas.wire.producers import ProducerReader
from stream.teach.answering import answer_request
from stream.teacher.merging import Merged
from stream.teacher.protocol import Answer
from tests.unit.stream.teach.requests_answered import REQUEST, STUDENTS, TEACHERS, FakeTeacher


async def _answer(
    request: TeacherRequest, teacher: FakeTeacher, *, now_ms: int = 20
) -> tuple[EntityEvent, SilverLabel | None]:
    return await answer_request(request, teacher, task_digest="new", now_ms=lambda: now_ms)


async def test_an_answer_corrects_the_event_and_becomes_a_label() -> None:
    event, label = await _answer(REQUEST, FakeTeacher())
    assert (event.revision, event.status, event.decided_by) == (2, "final", "teacher")
    assert event.entities == TEACHERS
    assert event.reason == "low_confidence"
    assert (event.teacher_model, event.prompt_version, event.task_digest) == ("m", "pv", "new")
    assert (event.student_version, event.policy_version) == ("v1", "p1")
    assert label is not None
    assert (label.text, label.entities, label.audit) == ("Ada sleeps", TEACHERS, True)
    assert (label.source, label.tokens_in, label.tokens_out) == ("teacher", 11, 3)
    assert label.record_id == event.record_id == "text-2-7"


async def test_a_record_without_consent_is_never_asked_about_and_its_correction_says_so() -> None:
    teacher = FakeTeacher()
    event, label = await answer_request(
        REQUEST,
        teacher,
        task_digest="new",
        now_ms=lambda: 20,
        may_ask=lambda request: request.source_topic != REQUEST.source_topic,
    )
    assert (event.revision, event.status, event.reason) == (2, "final", "no_consent")
    assert event.entities == STUDENTS
    assert label is None
    assert teacher.asked == []


async def test_a_text_that_cannot_be_redacted_keeps_the_students_entities() -> None:
    teacher = FakeTeacher(**{"Ada sleeps": RedactionError("redaction failed")})
    event, label = await _answer(REQUEST, teacher)
    assert (event.reason, event.status, label) == ("redaction_failed", "final", None)


async def _merging(request: TeacherRequest) -> tuple[EntityEvent, SilverLabel | None]:
    """Answer where both are known to know something better."""
    merge = Merged((*STUDENTS, Entity(4, 10, "PER", "sleeps")), (), confidence=0.4)
    return await answer_request(
        request,
        FakeTeacher(),
        task_digest="new",
        now_ms=lambda: 20,
        merge=lambda _request, _answer: merge,
    )


async def test_audits_are_asked_about_in_a_call_of_their_own() -> None:
    audits: list[str] = []

    async def ask_audit(text: str, /, *, expires_at_ms: int | None = None) -> Answer:
        assert expires_at_ms == REQUEST.expires_at_ms
        audits.append(text)
        return Answer(TEACHERS, "m", "pv", 5, 2, cached=False)

    teacher = FakeTeacher()
    for audit in (True, False):
        await answer_request(
            replace(REQUEST, audit=audit),
            teacher,
            task_digest="new",
            now_ms=lambda: 20,
            ask_audit=ask_audit,
        )
    assert audits == teacher.asked == [REQUEST.text]


async def test_a_correction_may_take_from_both_but_its_label_is_the_teachers_alone() -> None:
    event, label = await _merging(replace(REQUEST, task_digest="new"))
    assert (event.decided_by, event.revision, event.status) == ("both", 2, "final")
    assert [entity.surface for entity in event.entities] == ["Ada", "sleeps"]
    assert (event.confidence, event.teacher_model, event.prompt_version) == (0.4, "m", "pv")
    assert label is not None
    assert label.entities == TEACHERS


async def test_a_student_of_another_task_version_has_no_say_in_a_correction() -> None:
    event, _ = await _merging(REQUEST)
    assert (event.decided_by, event.entities) == ("teacher", TEACHERS)


async def test_an_answer_without_entities_is_a_label_too() -> None:
    nothing = Answer((), "m", "pv", 1, 1, cached=False)
    event, label = await _answer(REQUEST, FakeTeacher(**{"Ada sleeps": nothing}))
    assert event.entities == ()
    assert label is not None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RefusedError("no"), "refused"),
        (InvalidAnswerError("no"), "invalid_answer"),
        (BudgetExhaustedError("no"), "budget_exhausted"),
        (TeacherUnavailableError("no"), "teacher_unavailable"),
    ],
)
async def test_without_an_answer_the_students_entities_stand_and_there_is_no_label(
    error: Exception, reason: str
) -> None:
    event, label = await _answer(REQUEST, FakeTeacher(**{"Ada sleeps": error}))
    assert label is None
    assert (event.revision, event.status, event.reason) == (2, "final", reason)
    assert (event.decided_by, event.entities, event.confidence) == ("student", STUDENTS, 0.4)
    assert (event.task_digest, event.teacher_model) == ("old", "")


async def test_an_expired_request_is_not_asked() -> None:
    teacher = FakeTeacher()
    event, label = await _answer(REQUEST, teacher, now_ms=1000)
    assert teacher.asked == []
    assert label is None
    assert event.reason == "expired"


async def test_a_teacher_is_waited_for_until_the_request_expires() -> None:
    teacher = FakeTeacher(**{"Ada sleeps": ExpiredError("busy until then")})
    event, label = await _answer(REQUEST, teacher)
    assert teacher.expiries == [REQUEST.expires_at_ms]
    assert label is None
    assert event.reason == "expired"


async def test_the_label_names_who_sent_the_text() -> None:
    producers = ProducerReader(QuotaSettings(source_header="tenant"))
    sent = replace(REQUEST, headers=(("tenant", b"acme"),))
    answered: dict[str, Any] = {"task_digest": "new", "now_ms": lambda: 1}
    _, label = await answer_request(sent, FakeTeacher(), producers=producers, **answered)
    assert label
    assert label.producer == producers.read(None, [("tenant", b"acme")]) != ""
    _, label = await answer_request(sent, FakeTeacher(), **answered)
    assert label
    assert label.producer == ""
