"""What lanes promise on every broker and in both deliveries."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from schemas.errors import TeacherUnavailableError, TopicError
from stream.kafka.messages import Outgoing, Processor
from stream.testing.lanes import RememberingObserver, echo, feed, running, until
from stream.testing.place import PARTITIONS, Place, offset_of, origins


async def test_each_record_becomes_one_output_in_its_partition_and_in_order(place: Place) -> None:
    expected = await feed(place.kafka, [b"text"] * 1_000, partitions=PARTITIONS)
    async with running(place.worker()):
        await until(place.done(1_000))
    written = await place.written(place.out)
    assert Counter(r.value.decode() for r in written) == Counter(expected)
    for partition in range(PARTITIONS):
        offsets = [offset_of(r) for r in written if r.partition == partition]
        assert offsets == sorted(offsets)
        assert len(offsets) == 1_000 // PARTITIONS


@pytest.mark.parametrize("portion", [256 * 1024, 30])
async def test_a_second_run_goes_on_where_the_first_stopped(place: Place, portion: int) -> None:
    first = await feed(place.kafka, [b"text"] * 120, partitions=PARTITIONS)
    async with running(place.worker(max_batch_bytes=portion)):
        await until(place.done(20))  # stopped in the midst of what was fetched
    second = await feed(place.kafka, [b"more"] * 80, partitions=PARTITIONS)
    async with running(place.worker(max_batch_bytes=portion)):
        await until(place.done(200))
    assert Counter(await place.ids()) == Counter(first + second)


async def test_an_output_too_large_for_the_broker_becomes_a_dead_letter(place: Place) -> None:
    async def inflate(records: Sequence[ConsumerRecord]) -> list[tuple[Outgoing]]:
        sizes = [2_000_000 if record.value == b"big" else 10 for record in records]
        return [(Outgoing(place.out, b"x" * size),) for size in sizes]

    values: list[bytes | None] = [b"text"] * 60
    values[20] = values[41] = b"big"
    ids = await feed(place.kafka, values, partitions=PARTITIONS)
    async with running(place.worker(inflate)):
        await until(place.done(60))
    letters = await place.written(place.dead)
    assert set(origins(letters)) == {ids[20], ids[41]}
    assert {letter.value for letter in letters} == {b"big"}
    assert len(await place.written(place.out)) >= 58
    if place.kafka.delivery == "exactly_once":
        assert len(await place.written(place.out)) == 58
        assert len(letters) == 2


async def test_two_workers_share_the_partitions_and_one_takes_over_when_the_other_leaves(
    place: Place,
) -> None:
    early, late = RememberingObserver(), RememberingObserver()
    ids = await feed(place.kafka, [b"text"] * 200, partitions=PARTITIONS)
    async with running(place.worker(observer=early)):
        await until(lambda: early.partitions == [0, 1])
        async with running(place.worker(observer=late)):
            await until(lambda: len(early.partitions) == len(late.partitions) == 1)
            ids += await feed(place.kafka, [b"text"] * 200, partitions=PARTITIONS)
            await until(lambda: early.records + late.records >= 400)
        await until(lambda: early.partitions == [0, 1])
        ids += await feed(place.kafka, [b"text"] * 100, partitions=PARTITIONS)
        await until(lambda: early.records + late.records >= 500)
    assert late.records > 0
    assert Counter(await place.ids()) == Counter(ids)


async def test_a_stop_finishes_the_batch_in_hand(place: Place) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(records: Sequence[ConsumerRecord]) -> list[tuple[Outgoing]]:
        entered.set()
        await go_on.wait()
        return [(Outgoing(place.out, record.value),) for record in records]

    await feed(place.kafka, [b"text"] * 30, partitions=1)
    worker = place.worker(slow)
    task = asyncio.create_task(worker.run())
    await asyncio.wait_for(entered.wait(), 60)
    worker.request_stop()
    go_on.set()
    await asyncio.wait_for(task, 60)
    assert len(await place.written(place.out)) == 30


async def test_a_stop_does_not_wait_for_ever(place: Place) -> None:
    entered = asyncio.Event()

    async def stuck(records: Sequence[ConsumerRecord]) -> list[tuple[Outgoing]]:
        entered.set()
        await asyncio.Event().wait()
        return [() for _ in records]  # type: ignore[misc]  # never reached

    ids = await feed(place.kafka, [b"text"] * 30, partitions=1)
    worker = place.worker(stuck, drain_timeout_s=0.2)
    task = asyncio.create_task(worker.run())
    await asyncio.wait_for(entered.wait(), 60)
    worker.request_stop()
    await asyncio.wait_for(task, 60)
    async with running(place.worker()):
        await until(place.done(30))
    assert Counter(await place.ids()) == Counter(ids)


async def test_a_slow_processor_is_never_given_more_than_one_batch_at_a_time(place: Place) -> None:
    inside, most, sizes = 0, 0, []

    async def watched(records: Sequence[ConsumerRecord]) -> list[tuple[Outgoing]]:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        sizes.append(len(records))
        for _ in range(5):
            await asyncio.sleep(0)
        inside -= 1
        return [(Outgoing(place.out, record.value),) for record in records]

    await feed(place.kafka, [b"text"] * 500, partitions=1)
    async with running(place.worker(watched)):
        await until(place.done(500))
    assert most == 1
    assert max(sizes) == 50


async def test_what_may_pass_by_itself_is_tried_again_with_a_new_processor(place: Place) -> None:
    made = 0

    def make(_: TopicPartition) -> Processor:
        nonlocal made
        made += 1
        return echo(place.out) if made > 2 else unavailable

    ids = await feed(place.kafka, [b"text"] * 20, partitions=1)
    async with running(place.worker(make_processor=make)):
        await until(place.done(20))
    assert isinstance(place.observer.errors[0], TeacherUnavailableError)
    assert Counter(await place.ids()) == Counter(ids)


async def test_a_bug_in_the_processor_ends_the_worker(place: Place) -> None:
    async def buggy(records: Sequence[ConsumerRecord]) -> list[tuple[Outgoing]]:
        raise ZeroDivisionError

    await feed(place.kafka, [b"text"], partitions=1)
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(place.worker(buggy).run(), 60)


async def test_a_missing_topic_halts_the_start_and_says_what_mends_it(place: Place) -> None:
    worker = place.worker(text_topic="there.is.no.such.topic")
    with pytest.raises(TopicError, match=r"there\.is\.no\.such\.topic.*silverstream topics create"):
        await worker.run()


async def test_status_tells_partitions_lag_and_reachability(place: Place) -> None:
    hold = asyncio.Event()

    async def held(records: Sequence[ConsumerRecord]) -> list[tuple[Outgoing]]:
        await hold.wait()
        return [(Outgoing(place.out, record.value),) for record in records]

    await feed(place.kafka, [b"text"] * 10, partitions=1)
    worker = place.worker(held)
    assert worker.status().partitions == ()
    assert not worker.status().broker_reachable
    async with running(worker):
        await until(
            lambda: {p.partition: p.lag for p in worker.status().partitions} == {0: 10, 1: 0}
        )
        assert worker.status().broker_reachable
        hold.set()
        await until(lambda: all(p.lag == 0 for p in worker.status().partitions))


async def unavailable(records: Sequence[ConsumerRecord]) -> list[tuple[Outgoing]]:
    raise TeacherUnavailableError("later")
