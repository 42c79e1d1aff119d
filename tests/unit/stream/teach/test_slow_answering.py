"""Requests in batches: who is asked about, what is delivered, and what waits for another try."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from aiokafka import ConsumerRecord
from pydantic import ValidationError

from schemas.errors import RefusedError, TeacherPermanentError, TeacherUnavailableError
from schemas.settings import TeacherSettings, load_settings
from schemas.settings.batch import BatchSettings
from schemas.types import Entity, EntityEvent, SilverLabel, TeacherRequest
from schemas.wire.codec import Codec
from schemas.wire.topics import TopicNames
from stream.kafka.dead_letters import DeadLetters
from stream.kafka.messages import Outgoing
from stream.teach.answering import Answering
from stream.teach.slow_answering import SlowAnswering
from stream.teacher.batches.lane import Lot
from stream.teacher.protocol import Answer
from stream.testing.messages import a_request
from stream.watch.metrics import Metrics

NAMES = TopicNames("s.", "text")
CODEC = Codec()
DAY_MS = 86_400_000
SAID = Answer((Entity(0, 3, "PER", "Ada", 1.0),), "m", "pv", 11, 3, cached=False)


class FakeLane:
    """Answers a text a lot; raises the errors first, one for each time that it is asked."""

    def __init__(self, *errors: TeacherUnavailableError) -> None:
        self.errors = [*errors]
        self.asked: list[list[str]] = []
        self.late: list[str] = []

    async def lots(
        self, texts: Sequence[str], *, in_time: Callable[[str], bool]
    ) -> AsyncGenerator[Lot]:
        self.asked.append([*texts])
        for number, text in enumerate(texts):
            if number and self.errors:
                raise self.errors.pop(0)
            self.late += [] if in_time(text) else [text]
            outcome = RefusedError("no") if text == "Ada refused" else SAID
            yield Lot(cast("Any", None), asks_late=False, texts=[text], outcomes={text: outcome})


def record(request: TeacherRequest) -> ConsumerRecord[bytes, bytes]:
    value = CODEC.encode(request, NAMES.teacher_requests)
    return ConsumerRecord("r", 0, 7, 0, 0, b"k", value, None, 1, len(value), ())


def request(number: int, text: str = "", **changes: Any) -> TeacherRequest:
    found = a_request(
        record_id=f"text-0-{number}", text=text or f"Ada {number}", expires_at_ms=2 * DAY_MS
    )
    return replace(found, **changes)


async def answered(
    lane: FakeLane, *requests: TeacherRequest, asleep_ms: int = 0, **options: Any
) -> tuple[dict[str, EntityEvent], list[str], SlowAnswering]:
    sent: list[Outgoing] = []

    async def deliver(outgoing: Outgoing, /, *, beside: int | None) -> None:
        assert beside in (0, None)
        sent.append(outgoing)

    async def has_room(_partition: int, _sure: int) -> bool:
        return True

    async def sleep(_seconds: float) -> None:
        slow_refusals.append(slow.refusal)
        now_ms.append(now_ms[-1] + asleep_ms)

    now_ms = [1000]
    slow_refusals: list[str | None] = []
    answering = Answering(
        task=requests[0].task,
        task_digest="new",
        names=NAMES,
        letters=DeadLetters(topic=NAMES.dead_letters, app="app"),
        codec=CODEC,
        teacher=cast("Any", None),
        deliver=deliver,
        has_room=has_room,
        metrics=Metrics(),
        now_ms=lambda: now_ms[-1],
        ask_audit=cast("Any", None),
        **options,
    )
    waiting: list[int] = []
    slow = SlowAnswering(
        BatchSettings(), lambda _on_try: lane, lambda: now_ms[-1], waiting.append, sleep=sleep
    )
    await slow([record(one) for one in requests], answering)
    events = [CODEC.decode(EntityEvent, x.value or b"") for x in sent if x.topic == NAMES.entities]
    labels = [CODEC.decode(SilverLabel, x.value or b"") for x in sent if x.topic != NAMES.entities]
    assert len({one.record_id for one in events}) == len(events) == len(requests)
    assert slow.refusal is None
    assert waiting[-1] == 0
    lane.refusals = slow_refusals  # type: ignore[attr-defined]
    return {one.record_id: one for one in events}, [one.text for one in labels], slow


async def test_every_request_gets_its_revision_2_and_one_question_answers_equal_texts() -> None:
    lane = FakeLane()
    events, labels, _ = await answered(
        lane, request(1), request(2), request(3, "Ada 1"), request(4, "Ada refused")
    )
    assert lane.asked == [["Ada 1", "Ada 2", "Ada refused"]]
    assert sorted(labels) == ["Ada 1", "Ada 1", "Ada 2"]
    assert {one.decided_by for name, one in events.items() if name != "text-0-4"} == {"teacher"}
    assert events["text-0-4"].reason == "refused"


async def test_what_nobody_may_ask_or_waits_for_is_in_no_batch() -> None:
    lane = FakeLane()
    events, labels, _ = await answered(
        lane,
        request(1, expires_at_ms=999),
        request(2),
        request(3),
        may_ask=lambda one: one.record_id != "text-0-2",
    )
    assert lane.asked == [["Ada 3"]]
    assert [events[f"text-0-{n}"].reason for n in (1, 2)] == ["expired", "no_consent"]
    assert labels == ["Ada 3"]


async def test_what_expires_before_a_batch_ends_is_told_to_the_lane() -> None:
    lane = FakeLane()
    await answered(lane, request(1, expires_at_ms=DAY_MS), request(2))
    assert lane.late == ["Ada 1"]


async def test_an_endpoint_that_is_away_or_refuses_us_is_tried_again_for_what_is_left() -> None:
    lane = FakeLane(TeacherUnavailableError("away"), TeacherPermanentError("no key"))
    await answered(lane, request(1), request(2), request(3))
    assert lane.asked == [["Ada 1", "Ada 2", "Ada 3"], ["Ada 2", "Ada 3"], ["Ada 3"]]
    assert lane.refusals == [None, "no key"]  # type: ignore[attr-defined]


async def test_what_expires_while_the_endpoint_is_away_is_waited_for_no_longer() -> None:
    lane = FakeLane(TeacherUnavailableError("away"))
    soon = request(2, expires_at_ms=1500)
    events, _, _ = await answered(lane, request(1), soon, request(3), asleep_ms=1000)
    assert lane.asked == [["Ada 1", "Ada 2", "Ada 3"], ["Ada 3"]]
    assert events["text-0-2"].reason == "expired"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        # Enough for a batch, but not for who waits for one to end before the next is made.
        ({"request_ttl_s": 900 + 2 * 86400 + 3599}, "must be 177300 or more"),
        ({"request_ttl_s": 1e6, "ask": "unsure"}, "ask is unsure"),
    ],
)
def test_settings_under_which_batches_of_the_stream_make_no_sense_are_refused(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        TeacherSettings.model_validate({"batch": {"purposes": ["stream"]}, **changes})


def test_several_teachers_do_not_answer_the_stream_in_batches() -> None:
    teachers = [{"name": name, "model": name} for name in ("best", "cheap")]
    batch = {"purposes": ["stream"]}
    with pytest.raises(Exception, match="asked about live"):
        load_settings(None, teacher={"batch": batch, "request_ttl_s": 1e6}, teachers=teachers)
