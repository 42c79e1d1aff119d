from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from structlog.testing import capture_logs

from schemas.errors import (
    ConfigError,
    InvalidAnswerError,
    OutputTooLargeError,
    SchemaRegistryUnavailableError,
    TeacherUnavailableError,
)
from schemas.types import EntityEvent, SilverLabel
from schemas.wire.codec import Codec
from schemas.wire.record_ids import silver_key
from schemas.wire.topics import TopicNames
from stream.kafka.dead_letters import DROPPED, DeadLetters
from stream.kafka.messages import Outgoing
from stream.teach.answering import Answering
from stream.testing.fake_time import NO_WAIT
from stream.watch.metrics import Metrics
from tests.unit.stream.teach.requests_answered import REQUEST, STUDENTS, TEACHERS, FakeTeacher

NAMES = TopicNames("s.", "text")


def _record(value: bytes | None, offset: int = 0) -> ConsumerRecord[bytes, bytes]:
    return ConsumerRecord(
        topic=NAMES.teacher_requests,
        partition=2,
        offset=offset,
        timestamp=0,
        timestamp_type=0,
        key=b"k",
        value=value,
        checksum=None,
        serialized_key_size=1,
        serialized_value_size=0,
        headers=(),
    )


class _Bench:
    def __init__(self, teacher: FakeTeacher | None = None, codec: Codec | None = None) -> None:
        self.codec = codec or Codec()
        self.teacher = teacher or FakeTeacher()
        self.delivered: list[Outgoing] = []
        self.beside: list[int | None] = []
        self.refused: set[str] = set()
        self.n_partitions = 3
        self.metrics = Metrics()
        self.answering = Answering(
            task="test",
            task_digest="new",
            names=NAMES,
            letters=DeadLetters(topic=NAMES.dead_letters, app="app"),
            codec=self.codec,
            teacher=self.teacher,
            deliver=self.deliver,
            has_room=self.has_room,
            metrics=self.metrics,
            now_ms=lambda: 20,
            registry_backoff=NO_WAIT,
        )

    async def deliver(self, outgoing: Outgoing, /, *, beside: int | None) -> None:
        if outgoing.topic in self.refused:
            self.refused -= {outgoing.topic}  # what is tried instead is smaller
            raise OutputTooLargeError("too large")
        self.delivered.append(outgoing)
        self.beside.append(beside)

    async def has_room(self, partition: int, sure: int) -> bool:
        self.n_partitions = max(self.n_partitions, sure + 1)
        return 0 <= partition < self.n_partitions

    def request(self, **changes: Any) -> bytes:
        return self.codec.encode(replace(REQUEST, **changes), NAMES.teacher_requests)


async def test_the_label_and_the_correction_go_to_their_topics() -> None:
    bench = _Bench()
    await bench.answering(_record(bench.request()))
    label, event = bench.delivered
    assert (label.topic, label.key) == (
        "s.silver-labels",
        silver_key("test", "Ada sleeps") + b":teacher",
    )
    assert bench.codec.decode(SilverLabel, label.value or b"").entities == TEACHERS
    assert (event.topic, event.key) == ("s.entities", b"k")
    assert bench.beside == [None, 2]
    assert (label.partition, event.partition) == (None, 2)
    assert bench.codec.decode(EntityEvent, event.value or b"").revision == 2
    headers = dict(event.headers)
    assert headers["ce_traceparent"] == b"00-aa"
    assert b"text-2-7" in headers["ce_id"]


@pytest.mark.parametrize("value", [b"", None, b"\xc3\x01garbage", b"\x00\x00\x00\x00\x09x"])
async def test_a_request_that_cannot_be_decoded_is_dead_lettered(value: bytes | None) -> None:
    bench = _Bench()
    await bench.answering(_record(value))
    (buried,) = bench.delivered
    assert (buried.partition, bench.beside) == (None, [2])
    labels = {"code": "undecodable"}
    assert bench.metrics.registry.get_sample_value("silverstream_dead_letters_total", labels) == 1
    assert buried.topic == "s.dead-letters"
    assert buried.value == value
    assert bench.teacher.asked == []


@pytest.mark.parametrize("partition", [3, 2**31 - 1])
async def test_a_request_whose_correction_has_no_place_is_dead_lettered_unasked(
    partition: int,
) -> None:
    bench = _Bench()
    await bench.answering(_record(bench.request(source_partition=partition)))
    (buried,) = bench.delivered
    assert buried.topic == "s.dead-letters"
    reason = dict(buried.headers)["__connect.errors.exception.message"]
    assert reason == f"there is no partition {partition} for its correction".encode()
    assert bench.teacher.asked == []


async def test_a_request_of_another_task_on_a_shared_topic_is_left_to_its_own_teacher() -> None:
    bench = _Bench()
    await bench.answering(_record(bench.request(task="other")))
    assert bench.delivered == []
    assert bench.teacher.asked == []


async def test_a_label_that_is_too_large_does_not_keep_the_correction_back() -> None:
    bench = _Bench()
    bench.refused = {NAMES.silver_labels}
    await bench.answering(_record(bench.request()))
    (event,) = bench.delivered
    assert bench.codec.decode(EntityEvent, event.value or b"").decided_by == "teacher"


async def test_a_correction_that_is_too_large_leaves_the_students_entities() -> None:
    bench = _Bench()
    bench.refused = {NAMES.entities}
    await bench.answering(_record(bench.request()))
    event = bench.codec.decode(EntityEvent, bench.delivered[-1].value or b"")
    assert (event.revision, event.status, event.reason) == (2, "final", "output_too_large")
    assert event.entities == STUDENTS


async def test_a_dead_letter_that_is_too_large_goes_without_its_value() -> None:
    bench = _Bench()
    bench.refused = {NAMES.dead_letters}
    await bench.answering(_record(b"garbage"))
    (letter,) = bench.delivered
    assert letter.value == b""
    assert (DROPPED, b"8") in letter.headers  # with the key's byte


class FlakyCodec(Codec):
    """A codec whose registry is away for the first `outages` questions."""

    def __init__(self, *, outages: int) -> None:
        super().__init__()
        self.outages = outages

    async def resolve(self, values: Iterable[bytes | None]) -> None:
        self.outages -= 1
        if self.outages >= 0:
            raise SchemaRegistryUnavailableError("it answered 503")
        await super().resolve(values)


async def test_a_schema_registry_that_is_away_is_waited_for() -> None:
    bench = _Bench(codec=FlakyCodec(outages=3))
    await bench.answering(_record(bench.request()))
    assert [outgoing.topic for outgoing in bench.delivered] == ["s.silver-labels", "s.entities"]


async def test_a_fault_of_ours_in_one_answer_still_gives_a_final_event() -> None:
    bench = _Bench(FakeTeacher(**{"Ada sleeps": ZeroDivisionError("a bug")}))
    await bench.answering(_record(bench.request()))
    (event,) = bench.delivered
    assert bench.codec.decode(EntityEvent, event.value or b"").reason == "teacher_failed"


async def test_every_refusal_says_its_reason_in_the_log() -> None:
    bench = _Bench(FakeTeacher(**{"Ada sleeps": InvalidAnswerError("the answer is not JSON")}))
    with capture_logs() as logs:
        await bench.answering(_record(bench.request()))
    (refused,) = [x for x in logs if x["event"] == "answer_refused"]
    assert (refused["record_id"], refused["code"]) == ("text-2-7", "invalid_answer")
    assert refused["reason"] == "the answer is not JSON"
    assert "Ada sleeps" not in str(logs)


async def test_when_most_answers_are_refused_somebody_is_told_once() -> None:
    bench = _Bench(FakeTeacher(**{"Ada sleeps": InvalidAnswerError("no")}))
    with capture_logs() as logs:
        for number in range(30):
            await bench.answering(_record(bench.request(), number))
    assert [x["event"] for x in logs].count("most_answers_refused") == 1
    share = bench.metrics.registry.get_sample_value("silverstream_refused_share_ratio")
    assert share == 1.0


async def test_a_teacher_that_was_not_reached_is_no_refused_answer() -> None:
    bench = _Bench(FakeTeacher(**{"Ada sleeps": TeacherUnavailableError("busy")}))
    await bench.answering(_record(bench.request()))
    share = bench.metrics.registry.get_sample_value("silverstream_refused_share_ratio")
    assert share == 0.0


async def test_a_state_file_that_is_damaged_ends_the_process_and_burns_no_request() -> None:
    bench = _Bench(FakeTeacher(**{"Ada sleeps": ConfigError("the state cannot be used")}))
    with pytest.raises(ConfigError):
        await bench.answering(_record(bench.request()))
    assert bench.delivered == []
