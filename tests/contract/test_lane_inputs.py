"""What lanes do with what comes in: long, bad, deleted and expired records, new partitions."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from functools import partial

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import RecordsToDelete

from schemas.errors import FailureShareError
from schemas.settings import KafkaSettings
from schemas.wire.record_ids import record_id
from stream.kafka import clients
from stream.kafka.messages import Failed, Outgoing, Processor
from stream.kafka.topics import TopicSpec, partition_counts, widen_topics
from stream.testing.lanes import echo, feed, running, until
from stream.testing.place import PARTITIONS, Place, offset_in, offset_of, origins
from stream.testing.unreadable import feed_unreadable, unreadable_batch

exactly_once = pytest.mark.parametrize(
    "place", [pytest.param("apache exactly_once", marks=pytest.mark.kafka)], indirect=True
)


async def test_long_texts_come_in_small_batches_and_none_is_left_out(place: Place) -> None:
    expected = await feed(place.kafka, [b"text", b"a longer text"] * 60, partitions=PARTITIONS)
    async with running(place.worker(max_batch_bytes=30)):
        await until(place.done(120))
    assert Counter(await place.ids()) == Counter(expected)
    assert max(report.records for report in place.observer.reports) <= 7


async def test_poison_is_dead_lettered_alone_with_its_bytes_and_the_reason(place: Place) -> None:
    values: list[bytes | None] = [b"text"] * 40
    values[7] = b"poison \xff"
    ids = await feed(place.kafka, values, partitions=PARTITIONS)
    async with running(place.worker()):
        await until(place.done(40))
    (letter,) = await place.written(place.dead)
    headers = dict(letter.headers)
    assert (letter.value, letter.key) == (b"poison \xff", b"key")
    assert headers["origin-record-id"].decode() == ids[7]
    assert headers["__connect.errors.stage"] == b"undecodable"
    assert headers["__connect.errors.exception.class.name"] == b"DecodeError"
    assert Counter(await place.ids()) == Counter(ids[:7] + ids[8:])


async def test_a_header_name_that_is_not_utf_8_costs_only_its_own_record(place: Place) -> None:
    bad = {0, 60, 61, 119}
    await feed_unreadable(place.kafka, 120, bad)
    await feed_unreadable(place.kafka, 30, {0})
    async with running(place.worker(max_failure_share=1.0)):
        await until(place.done(150))
    bad_offsets = [*sorted(bad), 120]
    letters = await place.written(place.dead)
    assert [offset_in(dict(letter.headers)["origin-record-id"]) for letter in letters] == (
        bad_offsets
    )
    assert {letter.value for letter in letters} == {b"text"}
    assert letters[0].headers[0] == ("name \\xff\\xfe", b"value")
    headers = dict(letters[0].headers)
    assert headers["__connect.errors.stage"] == b"undecodable"
    assert headers["__connect.errors.exception.message"] == b"the name of a header is not UTF-8"
    good = [offset for offset in range(150) if offset not in bad_offsets]
    assert [offset_of(record) for record in await place.written(place.out)] == good


@exactly_once
async def test_a_bad_header_name_in_an_aborted_transaction_is_never_seen(
    place: Place,
) -> None:
    upstream = clients.transactional_producer(place.kafka, transactional_id=f"{place.group}-up")
    await upstream.start()
    for keep in (True, False, True):
        await upstream.begin_transaction()
        batch = unreadable_batch(upstream, 3, {0})
        await (await upstream.send_batch(batch, place.kafka.text_topic, partition=0))
        await (upstream.commit_transaction() if keep else upstream.abort_transaction())
    await upstream.stop()
    async with running(place.worker()):
        await until(place.done(6))
    letters = await place.written(place.dead)
    # A marker ends each transaction.
    assert [offset_in(dict(letter.headers)["origin-record-id"]) for letter in letters] == [0, 8]
    assert [offset_of(record) for record in await place.written(place.out)] == [1, 2, 9, 10]


async def test_too_many_failures_halt_the_worker_once_their_dead_letters_are_delivered(
    place: Place,
) -> None:
    good = await feed(place.kafka, [b"text"] * 100, partitions=PARTITIONS)
    async with running(place.worker()):
        await until(place.done(100))
    poison = await feed(place.kafka, [b"poison"] * 200, partitions=PARTITIONS)
    with pytest.raises(FailureShareError, match="of the last 20 records failed") as caught:
        await asyncio.wait_for(place.worker(failure_window_records=20).run(), 60)
    assert "(undecodable: poison)" in str(caught.value)
    buried = origins(await place.written(place.dead))
    assert buried
    assert set(buried) < set(poison)
    mended = partial(place.worker, processor=always(place.out))
    async with running(mended()):
        await until(place.done(300))
    ids = await place.ids()
    assert set(ids) == set(good + poison) - set(buried)
    if place.kafka.delivery == "exactly_once":
        assert len(ids) + len(buried) == 300


async def test_a_lane_that_halts_again_and_again_still_gets_on(place: Place) -> None:
    poison = await feed(place.kafka, [b"poison"] * 150, partitions=1)
    buried: list[int] = []
    for _ in range(3):
        with pytest.raises(FailureShareError):
            await asyncio.wait_for(place.worker(failure_window_records=20).run(), 60)
        buried.append(len(set(origins(await place.written(place.dead)))))
    assert buried == [50, 100, 150]
    assert set(origins(await place.written(place.dead))) == set(poison)


async def test_deletes_are_counted_and_passed_over_and_never_stop_a_lane(place: Place) -> None:
    values: list[bytes | None] = [None] * 100
    values[3] = values[60] = b"text"
    ids = await feed(place.kafka, values, partitions=1)
    async with running(place.worker(failure_window_records=2)):
        await until(place.done(100))
    assert await place.ids() == [ids[3], ids[60]]
    assert await place.written(place.dead) == []
    assert sum(report.deletes for report in place.observer.reports) == 98


@exactly_once
async def test_records_that_expire_under_a_running_lane_are_counted(
    place: Place,
) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(records: Sequence[ConsumerRecord]) -> Sequence[Sequence[Outgoing] | Failed]:
        entered.set()
        await go_on.wait()
        return await echo(place.out)(records)

    n, left = 40, 2  # four fetches, of which two are under way by then
    await feed(place.kafka, [b"x" * 100_000] * n, partitions=1)
    async with running(place.worker(slow)):
        await asyncio.wait_for(entered.wait(), 60)
        await expire(place.kafka, before=n - left)
        go_on.set()
        await until(lambda: place.observer.records + sum(place.observer.expirations) >= n)
        more = await feed(place.kafka, [b"text"] * 5, partitions=1)
        await until(lambda: place.observer.records + sum(place.observer.expirations) >= n + 5)
    assert sum(place.observer.expirations) > 0
    ids = await place.ids()
    assert len(ids) == len(set(ids)) == place.observer.records
    assert ids[-5:] == more


@exactly_once
async def test_partitions_added_live_are_read_and_the_outputs_widened(
    place: Place,
) -> None:
    ids = await feed(place.kafka, [b"text"] * 10, partitions=PARTITIONS)
    async with running(place.worker(beside(place.out), outputs=[place.out])):
        await until(place.done(10))
        wider = TopicSpec(place.kafka.text_topic, 1, 1, like=place.kafka.text_topic)
        await widen_topics(place.kafka, [wider], at_least=PARTITIONS + 2)
        ids += await feed(place.kafka, [b"text"] * 40, partitions=PARTITIONS + 2)
        await until(place.done(50))
    assert Counter(await place.ids()) == Counter(ids)
    counts = await partition_counts(place.kafka, [place.out, place.dead])
    assert counts == {place.out: PARTITIONS + 2, place.dead: PARTITIONS}


def always(out: str) -> Processor:
    async def process(records: Sequence[ConsumerRecord]) -> list[tuple[Outgoing]]:
        names = [record_id(record.topic, record.partition, record.offset) for record in records]
        return [(Outgoing(out, name.encode()),) for name in names]

    return process


def beside(out: str) -> Processor:
    """As `echo`, to the very partition that a record came from."""

    async def process(records: Sequence[ConsumerRecord]) -> list[tuple[Outgoing]]:
        names = [record_id(record.topic, record.partition, record.offset) for record in records]
        return [
            (Outgoing(out, name.encode(), partition=record.partition),)
            for name, record in zip(names, records, strict=True)
        ]

    return process


async def expire(kafka: KafkaSettings, *, before: int) -> None:
    """Let the records of partition 0 go, as retention does."""
    where = TopicPartition(kafka.text_topic, 0)
    async with clients.started(lambda: clients.admin(kafka), settings=kafka) as admin:
        await admin.delete_records({where: RecordsToDelete(before_offset=before)})
