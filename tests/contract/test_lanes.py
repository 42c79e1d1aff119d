"""What lanes promise on every broker and in both deliveries."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import RecordsToDelete

from schemas.errors import FailureShareError, TeacherUnavailableError, TopicError
from schemas.settings import KafkaSettings
from schemas.wire.record_ids import record_id
from stream.kafka import clients
from stream.kafka.lane.worker import LaneWorker
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.messages import Failed, Outgoing, Processor
from stream.kafka.topic_logs import read_to_end
from stream.kafka.topics import TopicSpec, create_topics, partition_counts, widen_topics
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.lanes import RememberingObserver, echo, feed, running, until
from stream.testing.unreadable import feed_unreadable, unreadable_batch

PARTITIONS = 2
"""Where a batch of records (format 2) has the checksum of what follows it."""
_numbers = itertools.count()


@dataclass
class Place:
    """Topics of one test on one broker."""

    kafka: KafkaSettings
    out: str
    dead: str
    group: str
    observer: RememberingObserver = field(default_factory=RememberingObserver)

    def worker(
        self,
        processor: Processor | None = None,
        *,
        observer: RememberingObserver | None = None,
        make_processor: Callable[[TopicPartition], Processor] | None = None,
        outputs: Sequence[str] = (),
        **changes: object,
    ) -> LaneWorker:
        chosen = processor or echo(self.out)
        return LaneWorker(
            self.kafka.model_copy(update=changes),
            group_id=self.group,
            transactional_prefix=self.group,
            make_processor=make_processor or (lambda _: chosen),
            dead_letter_topic=self.dead,
            outputs=outputs,
            observer=observer or self.observer,
        )

    async def written(self, topic: str) -> list[ConsumerRecord]:
        return [record async for record in read_to_end(self.kafka, topic)]

    async def ids(self) -> list[str]:
        return [record.value.decode() for record in await self.written(self.out)]

    def done(self, records: int) -> Callable[[], bool]:
        return lambda: self.observer.records >= records


@pytest.fixture(
    params=[
        "embedded at_least_once",
        pytest.param("apache at_least_once", marks=pytest.mark.kafka),
        pytest.param("apache exactly_once", marks=pytest.mark.kafka),
    ]
)
async def place(request: pytest.FixtureRequest) -> Place:
    broker, delivery = request.param.split()
    running_broker = request.getfixturevalue(
        "embedded_broker" if broker == "embedded" else "apache_kafka"
    )
    return await make_place(running_broker, delivery)


async def make_place(
    running_broker: EmbeddedBroker | ApacheKafka, delivery: Literal["at_least_once", "exactly_once"]
) -> Place:
    name = f"lanes.{next(_numbers)}.{delivery}"
    kafka = KafkaSettings(
        bootstrap_servers=running_broker.bootstrap_servers,
        delivery=delivery,
        text_topic=f"{name}.text",
        max_batch_records=50,
        # The embedded broker lets a new group wait for half of this.
        session_timeout_ms=3_000,
        startup_timeout_s=30,
    )
    there = Place(kafka, out=f"{name}.out", dead=f"{name}.dead", group=name)
    topics = (kafka.text_topic, there.out, there.dead)
    await create_topics(kafka, [TopicSpec(topic, PARTITIONS, 1) for topic in topics])
    return there


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


async def test_long_texts_come_in_small_batches_and_none_is_left_out(place: Place) -> None:
    expected = await feed(place.kafka, [b"text", b"a longer text"] * 60, partitions=PARTITIONS)
    async with running(place.worker(max_batch_bytes=30)):
        await until(place.done(120))
    assert Counter(await place.ids()) == Counter(expected)
    assert max(report.records for report in place.observer.reports) <= 7


@pytest.mark.parametrize("portion", [256 * 1024, 30])
async def test_a_second_run_goes_on_where_the_first_stopped(place: Place, portion: int) -> None:
    first = await feed(place.kafka, [b"text"] * 120, partitions=PARTITIONS)
    async with running(place.worker(max_batch_bytes=portion)):
        await until(place.done(20))  # stopped in the midst of what was fetched
    second = await feed(place.kafka, [b"more"] * 80, partitions=PARTITIONS)
    async with running(place.worker(max_batch_bytes=portion)):
        await until(place.done(200))
    assert Counter(await place.ids()) == Counter(first + second)


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


@pytest.mark.kafka
async def test_a_bad_header_name_in_an_aborted_transaction_is_never_seen(
    apache_kafka: ApacheKafka,
) -> None:
    place = await make_place(apache_kafka, "exactly_once")
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


@pytest.mark.kafka
async def test_records_that_expire_under_a_running_lane_are_counted(
    apache_kafka: ApacheKafka,
) -> None:
    place = await make_place(apache_kafka, "exactly_once")
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


@pytest.mark.kafka
async def test_partitions_added_live_are_read_and_the_outputs_widened(
    apache_kafka: ApacheKafka,
) -> None:
    place = await make_place(apache_kafka, "exactly_once")
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


def origins(letters: Sequence[ConsumerRecord]) -> list[str]:
    return [dict(letter.headers)["origin-record-id"].decode() for letter in letters]


def offset_of(record: ConsumerRecord) -> int:
    return offset_in(record.value)


def offset_in(record_id: bytes) -> int:
    return int(record_id.decode().rsplit("-", 1)[1])
