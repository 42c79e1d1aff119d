"""Lanes when Kafka, or another process, misbehaves; on Apache Kafka."""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import RecordsToDelete
from structlog.testing import capture_logs

from schemas.errors import BrokerUnavailableError, ConfigError, TopicError
from schemas.settings import KafkaSettings
from stream.kafka import clients
from stream.kafka.lane.fault_points import FaultHook, Point, no_fault
from stream.kafka.lane.worker import LaneWorker
from stream.kafka.local.embedded import EmbeddedBroker, free_port
from stream.kafka.messages import Outgoing, Processor
from stream.kafka.topic_logs import read_to_end
from stream.kafka.topics import TopicSpec, create_topics
from stream.testing.apache_kafka import ApacheKafka, kafka_libs
from stream.testing.lanes import RememberingObserver, echo, feed, running, until

_numbers = itertools.count()


@pytest.fixture(autouse=True)
def _failures_told() -> Iterator[None]:
    """Let what aiokafka never asked the outcome of be told here.

    It is told when it is collected, which amid a module's compilation makes CPython 3.11 fail.
    """
    yield
    gc.collect()


@pytest.fixture(scope="module")
def own_kafka(apache_kafka: ApacheKafka) -> Iterator[ApacheKafka]:
    """A cluster that a test may kill. (It asks for the shared one only to skip as that does.)"""
    del apache_kafka
    assert kafka_libs() is not None
    with ApacheKafka(brokers=1) as cluster:
        yield cluster


async def topics_on(
    cluster: ApacheKafka, *, out_config: dict[str, str] | None = None, **changes: object
) -> tuple[KafkaSettings, str, str]:
    name = f"faulty.{next(_numbers)}"
    kafka = KafkaSettings(
        bootstrap_servers=cluster.bootstrap_servers,
        text_topic=f"{name}.text",
        max_batch_records=50,
        session_timeout_ms=6_000,
        startup_timeout_s=30,
    ).model_copy(update=changes)
    out, dead = f"{name}.out", f"{name}.dead"
    await create_topics(
        kafka,
        [
            TopicSpec(kafka.text_topic, 1, 1),
            TopicSpec(out, 1, 1, config=out_config or {}),
            TopicSpec(dead, 1, 1, config=out_config or {}),
        ],
    )
    return kafka, out, dead


def worker_for(
    kafka: KafkaSettings,
    dead: str,
    processor: Processor,
    observer: RememberingObserver,
    *,
    fault_hook: FaultHook = no_fault,
) -> LaneWorker:
    return LaneWorker(
        kafka,
        group_id=dead,
        transactional_prefix=dead,
        make_processor=lambda _: processor,
        dead_letter_topic=dead,
        observer=observer,
        fault_hook=fault_hook,
    )


async def commit(kafka: KafkaSettings, *, group: str, offset: int) -> None:
    member = clients.consumer(kafka, group_id=group)
    async with clients.started(lambda: member, settings=kafka):
        source = TopicPartition(kafka.text_topic, 0)
        member.assign([source])
        await member.commit({source: offset})


async def values(kafka: KafkaSettings, topic: str) -> Counter[str]:
    return Counter([record.value.decode() async for record in read_to_end(kafka, topic)])


@pytest.mark.kafka
@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
async def test_a_broker_killed_under_way_is_waited_for_and_nothing_is_lost(
    own_kafka: ApacheKafka, delivery: str
) -> None:
    kafka, out, dead = await topics_on(own_kafka, delivery=delivery)
    observer = RememberingObserver()
    worker = worker_for(kafka, dead, echo(out), observer)
    ids = await feed(kafka, [b"text"] * 500, partitions=1)
    async with running(worker):
        await until(lambda: observer.records >= 100)
        own_kafka.kill(1)
        await until(lambda: not worker.status().broker_reachable)
        await asyncio.to_thread(own_kafka.start, 1)
        ids += await feed(kafka, [b"text"] * 100, partitions=1)
        await until(lambda: observer.records >= 600, deadline_s=120)
        await until(lambda: worker.status().broker_reachable)
    written = await values(kafka, out)
    assert set(written) == set(ids)
    if delivery == "exactly_once":
        assert written == Counter(ids)


@pytest.mark.kafka
async def test_a_broker_killed_amid_a_transaction_leaves_nothing_lost_or_doubled(
    own_kafka: ApacheKafka,
) -> None:
    kafka, out, dead = await topics_on(own_kafka)
    observer = RememberingObserver()
    killed = asyncio.Event()

    def kill_once(point: Point) -> None:
        # After the offsets the transaction stands open, and then the broker goes away.
        if point == "after_offsets" and not killed.is_set():
            own_kafka.kill(1)
            killed.set()

    worker = worker_for(kafka, dead, echo(out), observer, fault_hook=kill_once)
    ids = await feed(kafka, [b"text"] * 300, partitions=1)
    async with running(worker):
        await asyncio.wait_for(killed.wait(), 60)
        await asyncio.to_thread(own_kafka.start, 1)
        await until(lambda: observer.records >= 300, deadline_s=120)
    assert await values(kafka, out) == Counter(ids)


@pytest.mark.kafka
@pytest.mark.parametrize("amid", ["a transaction", "nothing"])
async def test_a_worker_stops_in_order_while_the_broker_is_away(
    own_kafka: ApacheKafka, amid: str
) -> None:
    kafka, out, dead = await topics_on(own_kafka, drain_timeout_s=0.5)
    observer = RememberingObserver()

    def kill_once(point: Point) -> None:
        if amid == "a transaction" and point == "after_produce" and own_kafka.pids:
            own_kafka.kill(1)

    await feed(kafka, [b"text"] * 50, partitions=1)
    worker = worker_for(kafka, dead, echo(out), observer, fault_hook=kill_once)
    before = asyncio.all_tasks()
    task = asyncio.create_task(worker.run())
    try:
        if amid == "nothing":
            await until(lambda: observer.records >= 50)
            own_kafka.kill(1)
        await until(lambda: not own_kafka.pids and not worker.status().broker_reachable)
        worker.request_stop()
        await asyncio.wait_for(task, 60)
        await until(lambda: asyncio.all_tasks() == before)
    finally:
        task.cancel()
        if not own_kafka.pids:
            await asyncio.to_thread(own_kafka.start, 1)


@pytest.mark.kafka
async def test_a_lane_fenced_while_it_still_owns_its_partition_recovers(
    apache_kafka: ApacheKafka,
) -> None:
    kafka, out, dead = await topics_on(apache_kafka)
    observer = RememberingObserver()
    first = await feed(kafka, [b"text"] * 50, partitions=1)
    async with running(worker_for(kafka, dead, echo(out), observer)):
        await until(lambda: observer.records >= 50)
        rival = clients.transactional_producer(
            kafka, transactional_id=f"{dead}-{kafka.text_topic}-0"
        )
        await rival.start()
        second = await feed(kafka, [b"text"] * 50, partitions=1)
        await until(lambda: observer.records >= 100)
        await rival.stop()
    assert "retried" in observer.events
    assert await values(kafka, out) == Counter(first + second)


@pytest.mark.kafka
async def test_aborted_input_is_never_seen(apache_kafka: ApacheKafka) -> None:
    kafka, out, dead = await topics_on(apache_kafka)
    observer = RememberingObserver()
    upstream = clients.transactional_producer(kafka, transactional_id=f"{dead}-upstream")
    await upstream.start()
    for value, keep in ((b"a", True), (b"b", False), (b"c", True)):
        await upstream.begin_transaction()
        await upstream.send_and_wait(kafka.text_topic, value, partition=0)
        await (upstream.commit_transaction() if keep else upstream.abort_transaction())
    await upstream.stop()

    async def copy(records: Sequence[ConsumerRecord]) -> list[tuple[Outgoing]]:
        return [(Outgoing(out, record.value),) for record in records]

    worker = worker_for(kafka, dead, copy, observer)
    async with running(worker):
        await until(lambda: observer.records >= 2)
        # Transaction markers at the end are no lag.
        await until(lambda: [p.lag for p in worker.status().partitions] == [0])
    assert await values(kafka, out) == Counter(["a", "c"])


@pytest.mark.kafka
@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
async def test_records_that_expired_unread_are_counted_aloud_and_the_rest_is_read(
    apache_kafka: ApacheKafka, delivery: str
) -> None:
    kafka, out, dead = await topics_on(apache_kafka, delivery=delivery)
    observer = RememberingObserver()
    ids = await feed(kafka, [b"text"] * 10, partitions=1)
    await commit(kafka, group=dead, offset=2)
    async with clients.started(lambda: clients.admin(kafka), settings=kafka) as admin:
        await admin.delete_records({TopicPartition(kafka.text_topic, 0): RecordsToDelete(7)})
    with capture_logs() as logs:
        async with running(worker_for(kafka, dead, echo(out), observer)):
            await until(lambda: observer.records >= 3)
    (event,) = [entry for entry in logs if entry["event"] == "records_expired"]
    assert (event["log_level"], event["partition"], event["records"]) == ("error", 0, 5)

    async def all_visible() -> bool:
        # The broker answers a commit a moment before readers see it.
        return await values(kafka, out) == Counter(ids[7:])

    await until(all_visible)


@pytest.mark.kafka
async def test_a_topic_made_anew_under_a_group_halts_and_says_what_mends_it(
    apache_kafka: ApacheKafka,
) -> None:
    kafka, out, dead = await topics_on(apache_kafka)
    await feed(kafka, [b"text"] * 10, partitions=1)
    await commit(kafka, group=dead, offset=11)
    with pytest.raises(TopicError, match=r"ends at offset 10, but .* 11: .* --reset-offsets"):
        await asyncio.wait_for(worker_for(kafka, dead, echo(out), RememberingObserver()).run(), 60)
    await commit(kafka, group=dead, offset=10)
    observer = RememberingObserver()
    await feed(kafka, [b"text"], partitions=1)
    async with running(worker_for(kafka, dead, echo(out), observer)):
        await until(lambda: observer.records == 1)


@pytest.mark.kafka
@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
async def test_an_output_that_the_topic_refuses_costs_only_its_own_record(
    apache_kafka: ApacheKafka, delivery: str
) -> None:
    small = {"max.message.bytes": "2000"}
    kafka, out, dead = await topics_on(apache_kafka, delivery=delivery, out_config=small)
    observer = RememberingObserver()

    texts: list[bytes | None] = [b"text %d" % number for number in range(60)]
    # The first's output is too large; the second does not even fit as a dead letter.
    texts[10], texts[20] = b"b" * 1_000, b"c" * 1_950
    await feed(kafka, texts, partitions=1)

    async def tenfold(records: Sequence[ConsumerRecord]) -> list[tuple[Outgoing]]:
        return [
            (Outgoing(out, record.value * (10 if len(record.value) > 100 else 1)),)
            for record in records
        ]

    async with running(worker_for(kafka, dead, tenfold, observer)):
        await until(lambda: observer.records >= 60)
    written = await values(kafka, out)
    assert set(written) == {f"text {number}" for number in range(60)} - {"text 10", "text 20"}
    letters = [record async for record in read_to_end(kafka, dead)]
    by_origin = {
        dict(letter.headers)["origin-record-id"].decode().rsplit("-", 1)[1]: letter
        for letter in letters
    }
    assert by_origin["10"].value == texts[10]
    assert by_origin["20"].value == b""
    assert dict(by_origin["20"].headers)["silverstream-dropped-bytes"] == b"1953"
    if delivery == "exactly_once":
        assert set(written.values()) == {1}
        assert len(letters) == 2


async def test_without_a_broker_the_start_gives_up_after_the_set_time() -> None:
    kafka = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}", startup_timeout_s=0.5)
    worker = worker_for(kafka, "dead", echo("out"), RememberingObserver())
    with pytest.raises(BrokerUnavailableError, match=r"no Kafka broker answered .* within 0\.5 s"):
        await asyncio.wait_for(worker.run(), 30)


async def test_exactly_once_on_a_broker_without_transactions_says_what_to_set(
    embedded_broker: EmbeddedBroker,
) -> None:
    kafka = KafkaSettings(bootstrap_servers=embedded_broker.bootstrap_servers, text_topic="no.txn")
    await create_topics(kafka, [TopicSpec("no.txn", 1, 1), TopicSpec("dead", 1, 1)])
    worker = worker_for(kafka, "dead", echo("out"), RememberingObserver())
    with pytest.raises(ConfigError, match=r"set kafka\.delivery to at_least_once"):
        await asyncio.wait_for(worker.run(), 30)
