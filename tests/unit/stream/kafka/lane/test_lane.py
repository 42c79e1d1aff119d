"""One lane against a consumer and a delivery that can be checked by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, KafkaConnectionError, TopicAuthorizationFailedError
from structlog.testing import capture_logs

from schemas.errors import (
    BatchRefusedError,
    ConfigError,
    DecodeError,
    FailureShareError,
    FencedError,
    RecordsRefusedError,
    SchemaRegistryUnavailableError,
    TopicError,
)
from schemas.retry import Backoff
from schemas.settings import KafkaSettings
from stream.kafka.dead_letters import DeadLetters
from stream.kafka.lane.delivery import Parcel
from stream.kafka.lane.lane import Lane
from stream.kafka.messages import Failed, Outgoing, Processor
from stream.testing.fake_time import NO_WAIT, FakeTime
from stream.testing.lanes import RememberingObserver, until

SOURCE = TopicPartition("text", 0)


class FakeConsumer:
    """A partition of `end` records, with a committed offset."""

    def __init__(self, end: int, *, committed: int | None = None) -> None:
        self.end = end
        self.offset: int | None = committed
        self.at = 0
        self.beginning = 0
        self.gaps: set[int] = set()
        self.expires_at_fetch = 0
        self.zombie = False
        self.confirmed: list[int] = []

    async def committed(self, source: TopicPartition) -> int | None:
        return self.offset

    def seek(self, source: TopicPartition, offset: int) -> None:
        self.at = offset

    async def seek_to_beginning(self, source: TopicPartition) -> None:
        self.at = 0

    async def position(self, source: TopicPartition) -> int:
        return self.at

    async def beginning_offsets(self, sources: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(sources, self.beginning)

    async def end_offsets(self, sources: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(sources, self.end)

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if self.zombie:
            raise CommitFailedError
        self.confirmed.append(offsets[SOURCE])

    def assignment(self) -> set[TopicPartition]:
        return {SOURCE}

    def last_stable_offset(self, source: TopicPartition) -> int:
        return self.end

    async def getmany(
        self, source: TopicPartition, *, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        self.beginning = max(self.beginning, self.expires_at_fetch)
        if not self.beginning <= self.at <= self.end:
            self.at = self.beginning  # as aiokafka does, without a word
        last = min(self.end, self.at + max_records)
        records = [
            ConsumerRecord("text", 0, offset, 0, 0, None, b"%d" % offset, None, -1, 1, ())
            for offset in range(self.at, last)
            if offset not in self.gaps
        ]
        self.at = last
        await asyncio.sleep(0)
        return {SOURCE: records} if records else {}


class FakeDelivery:
    """Writes down what is delivered; raises the errors it was given first."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    async def open(self) -> None:
        self.shelf.opened += 1

    async def deliver(self, parcel: Parcel) -> None:
        await self.shelf.gate.wait()
        if self.shelf.errors:
            raise self.shelf.errors.pop(0)
        self.shelf.parcels.append(parcel)
        self.shelf.consumer.offset = parcel.next_offset

    async def close(self) -> None:
        self.shelf.closed += 1


class Shelf:
    """All that the deliveries of one lane did."""

    def __init__(self, consumer: FakeConsumer, errors: Sequence[Exception] = ()) -> None:
        self.consumer = consumer
        self.errors = list(errors)
        self.parcels: list[Parcel] = []
        self.opened = self.closed = 0
        self.gate = asyncio.Event()
        self.gate.set()

    @property
    def values(self) -> list[bytes | None]:
        return [output.value for parcel in self.parcels for _, output in parcel.records]


async def copy(records: Sequence[ConsumerRecord]) -> list[tuple[Outgoing]]:
    return [(Outgoing("out", record.value),) for record in records]


def make_lane(
    shelf: Shelf,
    observer: RememberingObserver,
    *,
    processors: Sequence[Processor] = (),
    delivery: Literal["at_least_once", "exactly_once"] = "exactly_once",
    backoff: Backoff = NO_WAIT,
    window: int = 200,
    make_room: Callable[[], Awaitable[None]] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Lane:
    left = list(processors)
    return Lane(
        SOURCE,
        settings=KafkaSettings(
            max_batch_records=10, delivery=delivery, failure_window_records=window
        ),
        consumer=shelf.consumer,
        make_delivery=lambda: FakeDelivery(shelf),
        make_processor=lambda _: left.pop(0) if left else copy,
        letters=DeadLetters(topic="dead", app="a"),
        observer=observer,
        make_room=make_room,
        backoff=backoff,
        clock=clock,
    )


async def finish(lane: Lane, shelf: Shelf, n_values: int) -> None:
    task = asyncio.create_task(lane.run())
    await until(lambda: len(shelf.values) >= n_values or task.done())
    lane.request_stop()
    await task


def numbers(first: int, last: int) -> list[bytes | None]:
    return [b"%d" % number for number in range(first, last)]


async def test_it_begins_at_the_committed_offset() -> None:
    shelf = Shelf(FakeConsumer(30, committed=12))
    await finish(make_lane(shelf, RememberingObserver()), shelf, 18)
    assert shelf.values == numbers(12, 30)
    assert [parcel.next_offset for parcel in shelf.parcels] == [22, 30]


async def test_where_records_expired_it_begins_with_those_that_are_left() -> None:
    consumer = FakeConsumer(30, committed=12)
    consumer.beginning = 20
    shelf = Shelf(consumer)
    observer = RememberingObserver()
    with capture_logs() as logs:
        await finish(make_lane(shelf, observer), shelf, 10)
    assert shelf.values == numbers(20, 30)
    assert [entry["records"] for entry in logs if entry["event"] == "records_expired"] == [8]
    assert observer.expirations == [8]


async def test_what_expired_is_told_once_however_often_the_lane_begins_again() -> None:
    consumer = FakeConsumer(30, committed=12)
    consumer.beginning = 20
    shelf, observer = (
        Shelf(consumer, errors=[KafkaConnectionError("gone")] * 3),
        RememberingObserver(),
    )
    await finish(make_lane(shelf, observer), shelf, 10)
    assert observer.expirations == [8]


async def test_records_that_expire_under_a_running_lane_are_noticed() -> None:
    consumer = FakeConsumer(15)
    shelf, observer = Shelf(consumer), RememberingObserver()
    lane = make_lane(shelf, observer)
    task = asyncio.create_task(lane.run())
    await until(lambda: len(shelf.values) == 15)
    consumer.beginning = 40
    consumer.end = 50
    await until(lambda: len(shelf.values) == 25)
    consumer.beginning = consumer.end = 90
    await until(lambda: len(observer.expirations) == 2)
    lane.request_stop()
    await task
    assert shelf.values == numbers(0, 15) + numbers(40, 50)
    assert observer.expirations == [25, 40]


async def test_gaps_of_markers_and_compaction_are_no_loss() -> None:
    consumer = FakeConsumer(50)
    consumer.gaps = {0, 7, 8, 9, 10, 11, 20, 49}
    shelf, observer = Shelf(consumer), RememberingObserver()
    await finish(make_lane(shelf, observer), shelf, 42)
    assert observer.expirations == []


async def test_a_gap_that_is_partly_of_expired_records_counts_these() -> None:
    consumer = FakeConsumer(50, committed=5)
    consumer.gaps = {*range(5, 20)}
    consumer.expires_at_fetch = 12
    shelf, observer = Shelf(consumer), RememberingObserver()
    await finish(make_lane(shelf, observer), shelf, 30)
    assert observer.expirations == [7]


async def test_a_commit_past_the_end_halts() -> None:
    shelf = Shelf(FakeConsumer(30, committed=31))
    with pytest.raises(TopicError, match="made anew"):
        await asyncio.wait_for(make_lane(shelf, RememberingObserver()).run(), 60)


async def test_a_topic_made_anew_under_a_running_lane_halts_it_before_it_reads_any() -> None:
    consumer = FakeConsumer(30)
    shelf, observer = Shelf(consumer), RememberingObserver()
    task = asyncio.create_task(make_lane(shelf, observer).run())
    await until(lambda: len(shelf.values) == 30)
    consumer.end = 5
    with pytest.raises(TopicError, match="ends at offset 5, but the group has committed 30"):
        await asyncio.wait_for(task, 60)
    assert shelf.values == numbers(0, 30)
    assert [str(error) for error in observer.errors] == [
        "KafkaError: partition 0 of text went back from 30 to 0"
    ]


async def test_without_transactions_the_end_is_not_believed_and_reading_anew_is_said() -> None:
    consumer = FakeConsumer(30, committed=31)
    shelf, observer = Shelf(consumer), RememberingObserver()
    with capture_logs() as logs:
        await finish(make_lane(shelf, observer, delivery="at_least_once"), shelf, 30)
    assert shelf.values == numbers(0, 30)
    assert observer.errors == []
    (said,) = [entry for entry in logs if entry["event"] == "read_anew"]
    assert (said["expected_offset"], said["offset"], said["log_level"]) == (31, 0, "error")


async def test_the_next_batch_is_processed_while_the_last_is_delivered_and_no_further() -> None:
    shelf = Shelf(FakeConsumer(100))
    shelf.gate.clear()
    seen: list[int] = []

    async def watched(records: Sequence[ConsumerRecord]) -> list[tuple[Outgoing]]:
        seen.append(records[0].offset)
        return await copy(records)

    lane = make_lane(shelf, RememberingObserver(), processors=[watched])
    task = asyncio.create_task(lane.run())
    await until(lambda: len(seen) == 2)
    for _ in range(50):
        await asyncio.sleep(0)
    assert seen == [0, 10]
    assert shelf.parcels == []
    shelf.gate.set()
    await until(lambda: len(shelf.values) == 100)
    lane.request_stop()
    await task


@pytest.mark.parametrize(
    "error",
    [
        KafkaConnectionError("gone"),
        SchemaRegistryUnavailableError("gone"),
        TimeoutError(),
        OSError(),
    ],
)
async def test_after_an_error_everything_is_new_and_nothing_is_lost_or_doubled(
    error: Exception,
) -> None:
    shelf = Shelf(FakeConsumer(30), errors=[error])
    observer = RememberingObserver()
    await finish(make_lane(shelf, observer), shelf, 30)
    assert shelf.values == numbers(0, 30)
    assert (shelf.opened, shelf.closed) == (2, 2)
    assert observer.errors == [error]


async def test_fenced_but_still_the_owner_it_recovers_and_says_so_to_the_group() -> None:
    shelf = Shelf(FakeConsumer(30, committed=5), errors=[FencedError("timed out")])
    await finish(make_lane(shelf, RememberingObserver()), shelf, 25)
    assert shelf.values == numbers(5, 30)
    assert shelf.consumer.confirmed == [5]


async def test_a_fenced_zombie_halts() -> None:
    shelf = Shelf(FakeConsumer(30), errors=[FencedError("taken over")])
    shelf.consumer.zombie = True
    with pytest.raises(FencedError, match="belongs to another process"):
        await asyncio.wait_for(make_lane(shelf, RememberingObserver()).run(), 60)
    assert shelf.values == []
    assert shelf.opened == shelf.closed


async def test_what_the_broker_forbids_halts() -> None:
    shelf = Shelf(FakeConsumer(30), errors=[TopicAuthorizationFailedError("out")])
    with pytest.raises(ConfigError, match="forbids"):
        await asyncio.wait_for(make_lane(shelf, RememberingObserver()).run(), 60)


async def fail(records: Sequence[ConsumerRecord]) -> list[Failed]:
    return [Failed(DecodeError("not JSON")) for _ in records]


async def test_too_many_failures_halt_once_their_batch_is_delivered_and_no_further() -> None:
    shelf = Shelf(FakeConsumer(100, committed=7))
    observer = RememberingObserver()
    lane = make_lane(shelf, observer, processors=[fail], window=10)
    with pytest.raises(FailureShareError, match=r"at offset 7 of text-0 \(undecodable: not JSON"):
        await asyncio.wait_for(lane.run(), 60)
    assert shelf.values == numbers(7, 17)
    assert {output.topic for _, output in shelf.parcels[0].records} == {"dead"}
    assert (shelf.consumer.offset, observer.records) == (17, 10)


async def test_started_again_it_goes_on_behind_what_it_halted_at() -> None:
    shelf = Shelf(FakeConsumer(30))
    for _ in range(3):
        lane = make_lane(shelf, RememberingObserver(), processors=[fail], window=10)
        with pytest.raises(FailureShareError):
            await asyncio.wait_for(lane.run(), 60)
    assert shelf.values == numbers(0, 30)


async def test_failures_that_are_tried_again_count_once() -> None:
    async def fail_a_third(records: Sequence[ConsumerRecord]) -> list[tuple[Outgoing] | Failed]:
        whole, failed = await copy(records), await fail(records)
        return [failed[0] if r.offset < 10 else w for r, w in zip(records, whole, strict=True)]

    shelf = Shelf(FakeConsumer(30), errors=[KafkaConnectionError("gone")] * 5)
    lane = make_lane(shelf, RememberingObserver(), processors=[fail_a_third] * 6, window=20)
    await finish(lane, shelf, 30)
    assert shelf.values == numbers(0, 30)


async def test_deletes_are_passed_over_and_counted_and_their_offsets_committed() -> None:
    async def delete(records: Sequence[ConsumerRecord]) -> list[tuple[Outgoing, ...]]:
        return [() for _ in records]

    shelf, observer = Shelf(FakeConsumer(30)), RememberingObserver()
    lane = make_lane(shelf, observer, processors=[delete], window=1)
    task = asyncio.create_task(lane.run())
    await until(lambda: observer.records == 30)
    lane.request_stop()
    await task
    assert shelf.values == []
    assert shelf.consumer.offset == 30
    assert [report.deletes for report in observer.reports] == [10, 10, 10]


async def test_room_is_made_before_each_beginning_and_what_it_lacks_halts() -> None:
    shelf = Shelf(FakeConsumer(30), errors=[KafkaConnectionError("gone")])
    opened: list[int] = []

    async def make_room() -> None:
        opened.append(shelf.opened)

    await finish(make_lane(shelf, RememberingObserver(), make_room=make_room), shelf, 30)
    assert opened == [0, 1]

    async def refuse() -> None:
        raise TopicError("too narrow")

    with pytest.raises(TopicError, match="too narrow"):
        await make_lane(shelf, RememberingObserver(), make_room=refuse).run()
    assert shelf.opened == 2


async def test_refused_outputs_become_dead_letters_and_the_rest_goes_through() -> None:
    errors = [BatchRefusedError("too large"), RecordsRefusedError(frozenset({3}))]
    shelf = Shelf(FakeConsumer(20), errors=errors)
    observer = RememberingObserver()
    await finish(make_lane(shelf, observer), shelf, 20)
    assert [parcel.singly for parcel in shelf.parcels] == [True, False]
    topics = [output.topic for parcel in shelf.parcels for _, output in parcel.records]
    assert [offset for offset, topic in enumerate(topics) if topic == "dead"] == [3]
    assert [error.code for report in observer.reports for error in report.errors] == [
        "output_too_large"
    ]


async def test_when_a_processor_fails_the_batch_before_it_is_still_delivered() -> None:
    shelf = Shelf(FakeConsumer(20))
    shelf.gate.clear()

    async def second_fails(records: Sequence[ConsumerRecord]) -> list[tuple[Outgoing]]:
        if records[0].offset == 10:
            asyncio.get_running_loop().call_soon(shelf.gate.set)
            raise ZeroDivisionError
        return await copy(records)

    lane = make_lane(shelf, RememberingObserver(), processors=[second_fails])
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(lane.run(), 60)
    assert shelf.values == numbers(0, 10)


async def test_cancelled_it_ends_at_once_and_closes_its_delivery() -> None:
    shelf = Shelf(FakeConsumer(20))
    shelf.gate.clear()
    lane = make_lane(shelf, RememberingObserver())
    task = asyncio.create_task(lane.run())
    await until(lambda: shelf.opened == 1 and shelf.consumer.at == 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert shelf.closed == 1
    assert shelf.parcels == []


async def test_reports_tell_records_errors_and_lag() -> None:
    shelf = Shelf(FakeConsumer(25))
    observer = RememberingObserver()
    await finish(make_lane(shelf, observer), shelf, 25)
    facts = [(r.partition, r.records, r.outgoing, r.lag) for r in observer.reports]
    assert facts == [(0, 10, 10, 15), (0, 10, 10, 5), (0, 5, 5, 0)]
    assert all(report.seconds >= 0 for report in observer.reports)


async def test_status_counts_what_is_left_and_how_long_it_got_no_further() -> None:
    shelf, fake_time = Shelf(FakeConsumer(25)), FakeTime()
    shelf.gate.clear()
    lane = make_lane(shelf, RememberingObserver(), clock=fake_time.clock.monotonic)
    task = asyncio.create_task(lane.run())
    await until(lambda: lane.status().lag == 25)
    fake_time.now_s += 60
    lane.saw_end(40)
    assert lane.status().lag == 40
    assert lane.status().standstill_s == 60
    shelf.gate.set()
    await until(lambda: lane.status().lag == 15)
    assert lane.status().standstill_s == 0
    lane.request_stop()
    await task


async def test_an_outage_of_the_brokers_is_no_standstill() -> None:
    shelf, fake_time = Shelf(FakeConsumer(25)), FakeTime()
    shelf.gate.clear()
    lane = make_lane(shelf, RememberingObserver(), clock=fake_time.clock.monotonic)
    task = asyncio.create_task(lane.run())
    await until(lambda: lane.status().lag == 25)
    fake_time.now_s += 60
    lane.saw_outage()
    assert lane.status().standstill_s == 0
    task.cancel()
    await asyncio.wait([task])


async def test_a_stop_cuts_the_wait_after_an_error_short() -> None:
    shelf = Shelf(FakeConsumer(30), errors=[KafkaConnectionError("gone")])
    observer = RememberingObserver()
    lane = make_lane(shelf, observer, backoff=Backoff(1e6, 1e6))
    task = asyncio.create_task(lane.run())
    await until(lambda: observer.errors != [])
    lane.request_stop()
    await asyncio.wait_for(task, 60)
    assert shelf.values == []
