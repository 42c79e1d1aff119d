"""One lane against a consumer and a delivery that can be checked by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError

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
from stream.kafka.messages import Failed, Outgoing
from stream.testing.fake_lane import FakeConsumer, Shelf, copy, finish, make_lane, numbers
from stream.testing.fake_time import FakeTime
from stream.testing.lanes import RememberingObserver, until


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
