from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiokafka import ConsumerRecord

from schemas.errors import TaggingError
from schemas.settings import InputSettings
from schemas.types import Entity, EntityEvent, Tagging
from schemas.wire.codec import Codec
from schemas.wire.inputs import InputReader
from stream.revise.changes import Changes, Found, Judge
from stream.revise.deciding import KnownAnswer, Ruling
from stream.revise.standing import Survey
from stream.testing.messages import an_event

ADA = Entity(0, 3, "PER", "Ada")


class Student:
    """Finds Ada, fails on what is broken, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def tag(self, texts: Sequence[str]) -> list[Tagging | TaggingError]:
        self.asked += texts
        return [self._tagging(text) for text in texts]

    def _tagging(self, text: str) -> Tagging | TaggingError:
        if text == "broken":
            return TaggingError("broken")
        return Tagging((ADA,) if text.startswith("Ada") else (), confidence=0.5, score=0.5)


def a_record(offset: int, value: bytes | None, headers: Any = ()) -> ConsumerRecord:
    return ConsumerRecord("text", 0, offset, 7, 0, b"key", value, None, 3, 0, headers)


def a_survey(*events: EntityEvent) -> Survey:
    survey = Survey("test", "text-0", range(100), tagged_to=100)
    for at, event in enumerate(events):
        survey.add(event, at=at)
    return survey


def said_nothing(offset: int, **changes: Any) -> EntityEvent:
    return an_event(record_id=f"text-0-{offset}", **changes)


async def found(
    records: Sequence[ConsumerRecord],
    survey: Survey,
    *,
    student: Student | None = None,
    rulings: dict[str, Ruling] | None = None,
    answers: dict[str, KnownAnswer] | None = None,
) -> Found:
    maker = changes(student or Student(), rulings or {}, answers or {})
    return await maker.of(records, survey)


def changes(
    student: Student, rulings: dict[str, Ruling], answers: dict[str, KnownAnswer]
) -> Changes:
    codec = Codec()
    return Changes(
        task="test",
        task_digest="today",
        topic="entities",
        reader=InputReader(InputSettings(), codec),
        codec=codec,
        judge=Judge(version="v2", task_digest="made", policy_digest="p", tag=student.tag),
        ruling=rulings.get,
        answer=answers.get,
        now_ms=lambda: 9,
        resolve_schemas=False,
    )


async def test_the_student_is_asked_only_about_what_it_may_overturn() -> None:
    student = Student()
    records = [a_record(offset, b"Ada %d" % offset) for offset in range(5)]
    survey = a_survey(
        said_nothing(0),
        said_nothing(1, decided_by="teacher", revision=2),
        said_nothing(2, decided_by="person", revision=3),
        said_nothing(3, status="provisional"),
        said_nothing(4, student_version="v2"),
    )

    result = await found(records, survey, student=student)

    assert student.asked == ["Ada 0"]
    kept = {"teacher": 1, "person": 1, "awaits_teacher": 1, "same_student": 1}
    assert result.kept == kept
    (change,) = result.changed
    assert (change.event.record_id, change.event.revision) == ("text-0-0", 3)


async def test_a_text_that_a_person_ruled_on_is_not_given_to_the_student() -> None:
    student = Student()
    ruling = Ruling((ADA,), (), since_ms=5)
    survey = a_survey(said_nothing(0), said_nothing(1, revision=4, entities=(ADA,)))

    result = await found(
        [a_record(0, b"Ada"), a_record(1, b"Ada")],
        survey,
        student=student,
        rulings={"Ada": ruling},
    )

    assert student.asked == []
    assert result.kept == {"same": 1}
    (change,) = result.changed
    assert (change.event.decided_by, change.event.revision) == ("person", 3)
    assert change.event.task_digest == "today"


async def test_what_the_teacher_said_of_a_text_is_published_where_a_student_decided() -> None:
    student = Student()
    answer = KnownAnswer((ADA,), (), "gpt", "p1")
    survey = a_survey(
        said_nothing(0),
        said_nothing(1, entities=(ADA,)),
        said_nothing(2, decided_by="both", revision=2),
        said_nothing(3, decided_by="person", revision=3),
        said_nothing(4, status="provisional"),
    )

    result = await found(
        [a_record(offset, b"Ada") for offset in range(5)],
        survey,
        student=student,
        answers={"Ada": answer},
    )

    assert student.asked == []
    assert result.kept == {"same": 1, "teacher": 1, "person": 1, "awaits_teacher": 1}
    (change,) = result.changed
    event = change.event
    assert (event.record_id, event.revision, event.decided_by) == ("text-0-0", 3, "teacher")
    assert (event.entities, event.teacher_model, event.prompt_version) == ((ADA,), "gpt", "p1")
    assert (event.status, event.task_digest) == ("final", "today")


async def test_people_are_heard_before_the_teacher() -> None:
    result = await found(
        [a_record(0, b"Ada")],
        a_survey(said_nothing(0)),
        rulings={"Ada": Ruling((ADA,), (), since_ms=5)},
        answers={"Ada": KnownAnswer((), (), "gpt", "p1")},
    )

    assert [change.event.decided_by for change in result.changed] == ["person"]


async def test_records_at_fault_are_counted_and_do_not_stop_the_others() -> None:
    records = [
        a_record(0, None),
        a_record(1, b"\xff"),
        a_record(2, b"Ada", [("\udcff", b"")]),
        a_record(3, b"broken"),
        a_record(4, b"Ada"),
    ]
    survey = a_survey(*(said_nothing(offset) for offset in range(5)))

    result = await found(records, survey)

    assert result.kept == {"delete": 1, "unreadable": 2, "tagging_failed": 1}
    assert [change.record.offset for change in result.changed] == [4]


async def test_changes_come_in_the_order_of_their_records_whoever_decided() -> None:
    records = [a_record(0, b"Ada 0"), a_record(1, b"Bo"), a_record(2, b"Ada 2")]
    survey = a_survey(*(said_nothing(offset) for offset in range(3)))
    ruling = Ruling((Entity(0, 2, "PER", "Bo"),), (), since_ms=5)

    result = await found(records, survey, rulings={"Bo": ruling})

    decided = [(change.record.offset, change.event.decided_by) for change in result.changed]
    assert decided == [(0, "student"), (1, "person"), (2, "student")]


async def test_a_revision_is_written_beside_its_record_with_the_records_key_and_headers() -> None:
    record = a_record(3, b"Ada", [("mine", b"1"), ("ce_id", b"theirs"), ("empty", None)])
    maker = changes(Student(), {}, {})
    (change,) = (await maker.of([record], a_survey(said_nothing(3)))).changed

    offset, outgoing = maker.addressed(change)

    assert (offset, outgoing.partition, outgoing.key) == (3, 0, b"key")
    assert Codec().decode(EntityEvent, outgoing.value or b"") == change.event
    assert dict(outgoing.headers)["ce_id"] == b"test/text-0-3/3"
    assert outgoing.headers[-3:] == (("mine", b"1"), ("ce_inputid", b"theirs"), ("empty", b""))
