from __future__ import annotations

import itertools

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import RecordsToDelete

from schemas.settings import KafkaSettings
from stream.kafka import clients
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.looking import look, read_at
from stream.kafka.topics import TopicSpec, create_topics
from stream.testing.apache_kafka import ApacheKafka

_numbers = itertools.count()
T0 = 1_700_000_000_000


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
async def kafka(request: pytest.FixtureRequest) -> KafkaSettings:
    """Partition 1 of two holds `0` to `9`, one a second since `T0`."""
    fixture = "embedded_broker" if request.param == "embedded" else "apache_kafka"
    broker: EmbeddedBroker | ApacheKafka = request.getfixturevalue(fixture)
    settings = KafkaSettings(
        bootstrap_servers=broker.bootstrap_servers,
        text_topic=f"looks.{next(_numbers)}",
        startup_timeout_s=30,
    )
    await create_topics(settings, [TopicSpec(settings.text_topic, 2, 1)])
    async with clients.started(lambda: clients.producer(settings), settings=settings) as producer:
        for n in range(10):
            await producer.send_and_wait(
                settings.text_topic, b"%d" % n, partition=1, timestamp_ms=T0 + n * 1000
            )
    return settings


def anything(_record: ConsumerRecord) -> bool:
    return True


async def test_a_record_is_read_where_it_stands(kafka: KafkaSettings) -> None:
    where, record = await read_at(kafka, kafka.text_topic, 1, 7)
    assert where == "there"
    assert record is not None
    assert (record.offset, record.value) == (7, b"7")


@pytest.mark.parametrize(("partition", "offset"), [(1, 10), (0, 0), (5, 0)])
async def test_what_is_not_written_yet_is_to_come(
    kafka: KafkaSettings, partition: int, offset: int
) -> None:
    assert await read_at(kafka, kafka.text_topic, partition, offset) == ("to come", None)


async def test_a_look_begins_where_the_index_of_times_has_it(
    kafka: KafkaSettings, request: pytest.FixtureRequest
) -> None:
    seen = await look(kafka, kafka.text_topic, 1, anything, since_ms=T0 + 6000, most=100)
    # The embedded broker's index is a coarse one: it may begin before.
    n = 4 if "apache" in request.node.name else len(seen.found)
    assert [record.value for record in seen.found] == [b"%d" % i for i in range(10 - n, 10)]
    assert (seen.read, seen.cut, seen.first) == (n, False, 0)
    assert n >= 4


async def test_where_nothing_is_found_since_then_it_goes_back_to_what_was_before(
    kafka: KafkaSettings,
) -> None:
    """As where a producer's clock is ahead of its time."""
    for since_ms in (T0 + 6000, T0 + 10**9):
        seen = await look(
            kafka, kafka.text_topic, 1, lambda one: one.value == b"3", since_ms=since_ms, most=100
        )
        assert [record.offset for record in seen.found] == [3]
        assert (seen.read, seen.cut) == (10, False)


async def test_what_was_before_is_found_too_where_it_is_asked_for_and_in_order(
    kafka: KafkaSettings,
) -> None:
    seen = await look(
        kafka, kafka.text_topic, 1, anything, since_ms=T0 + 6000, most=100, before_too=True
    )
    assert [record.offset for record in seen.found] == list(range(10))
    assert seen.read == 10


async def test_a_look_reads_no_more_than_its_bound_and_says_so(kafka: KafkaSettings) -> None:
    seen = await look(kafka, kafka.text_topic, 1, lambda one: one.value == b"9", since_ms=0, most=4)
    assert (seen.found, seen.read, seen.cut) == ([], 4, True)
    seen = await look(kafka, kafka.text_topic, 1, anything, since_ms=0, most=10)
    assert (len(seen.found), seen.cut) == (10, False)


async def test_an_empty_partition_and_one_that_is_not_there_hold_nothing(
    kafka: KafkaSettings,
) -> None:
    for partition in (0, 5):
        seen = await look(kafka, kafka.text_topic, partition, anything, since_ms=0, most=9)
        assert (seen.found, seen.read, seen.cut) == ([], 0, False)


@pytest.mark.kafka
async def test_a_record_that_retention_took_has_expired(apache_kafka: ApacheKafka) -> None:
    settings = KafkaSettings(
        bootstrap_servers=apache_kafka.bootstrap_servers, text_topic=f"looks.{next(_numbers)}"
    )
    topic = settings.text_topic
    await create_topics(settings, [TopicSpec(topic, 1, 1)])
    async with clients.started(lambda: clients.producer(settings), settings=settings) as producer:
        for n in range(5):
            await producer.send_and_wait(topic, b"%d" % n, partition=0)
    async with clients.started(lambda: clients.admin(settings), settings=settings) as admin:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=3)})
    assert await read_at(settings, topic, 0, 2) == ("expired", None)
    assert (await read_at(settings, topic, 0, 3))[0] == "there"
    seen = await look(settings, topic, 0, anything, since_ms=0, most=9)
    assert ([record.offset for record in seen.found], seen.first) == ([3, 4], 3)
