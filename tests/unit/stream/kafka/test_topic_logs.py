from __future__ import annotations

import asyncio
import itertools
from contextlib import aclosing

import pytest
from aiokafka import ConsumerRecord

from schemas.errors import TopicError
from schemas.settings import KafkaSettings
from stream.kafka import clients
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.topic_logs import (
    CaughtUp,
    append,
    end_offsets,
    follow,
    read_newest,
    read_since,
    read_to_end,
)
from stream.kafka.topics import TopicSpec, create_topics
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.lanes import feed
from stream.testing.unreadable import feed_unreadable

_numbers = itertools.count()


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
async def kafka(request: pytest.FixtureRequest) -> KafkaSettings:
    fixture = "embedded_broker" if request.param == "embedded" else "apache_kafka"
    broker: EmbeddedBroker | ApacheKafka = request.getfixturevalue(fixture)
    settings = KafkaSettings(
        bootstrap_servers=broker.bootstrap_servers,
        text_topic=f"logs.{next(_numbers)}",
        startup_timeout_s=30,
    )
    await create_topics(settings, [TopicSpec(settings.text_topic, 2, 1)])
    return settings


async def values(kafka: KafkaSettings) -> list[bytes]:
    return sorted([record.value async for record in read_to_end(kafka, kafka.text_topic)])


async def test_an_empty_topic_is_read_to_its_end(kafka: KafkaSettings) -> None:
    assert await values(kafka) == []
    assert await end_offsets(kafka, kafka.text_topic) == {0: 0, 1: 0}


async def test_everything_is_read_however_it_was_batched(kafka: KafkaSettings) -> None:
    # Tansu counts the last batch as one record when asked for a topic's end.
    await feed(kafka, [b"%03d" % number for number in range(100)], partitions=2)
    await append(kafka, kafka.text_topic, key=b"k", value=b"100")
    await feed(kafka, [b"%03d" % number for number in range(101, 140)], partitions=1)
    assert await values(kafka) == [b"%03d" % number for number in range(140)]
    assert sum((await end_offsets(kafka, kafka.text_topic)).values()) == 140


async def test_the_newest_records_are_a_share_of_each_partition(kafka: KafkaSettings) -> None:
    topic = kafka.text_topic
    assert await read_newest(kafka, topic, 10) == []

    await feed(kafka, [b"%03d" % number for number in range(100)], partitions=2)
    await feed(kafka, [b"%03d" % number for number in range(100, 103)], partitions=1)

    def read(partition: int, records: list[ConsumerRecord]) -> list[bytes]:
        return [record.value for record in records if record.partition == partition]

    newest = await read_newest(kafka, topic, 9)
    assert read(0, newest) == [b"096", b"098", b"100", b"101", b"102"]
    assert read(1, newest) == [b"091", b"093", b"095", b"097", b"099"]
    assert len(await read_newest(kafka, topic, 1000)) == 103


async def test_the_newest_records_are_read_whatever_their_headers_names(
    kafka: KafkaSettings,
) -> None:
    await feed_unreadable(kafka, 120, {0, 60, 119})
    await feed_unreadable(kafka, 30, {0})

    for n, begin in ((500, 0), (100, 100)):
        newest = await read_newest(kafka, kafka.text_topic, n)
        assert [record.offset for record in newest] == [*range(begin, 150)]


async def test_append_tells_where_the_record_went(kafka: KafkaSettings) -> None:
    place = await append(
        kafka, kafka.text_topic, key=b"k", value=None, headers=(("name", b"value"),)
    )
    (record,) = [record async for record in read_to_end(kafka, kafka.text_topic)]
    assert (record.partition, record.offset) == (place.partition, place.offset)
    assert (record.key, record.value, list(record.headers)) == (b"k", None, [("name", b"value")])


async def test_a_follower_is_told_once_that_it_caught_up_and_then_sees_what_comes(
    kafka: KafkaSettings,
) -> None:
    await append(kafka, kafka.text_topic, key=b"k", value=b"old")
    seen: list[bytes | None] = []
    async with aclosing(follow(kafka, kafka.text_topic)) as items, asyncio.timeout(60):
        async for item in items:
            seen.append(None if isinstance(item, CaughtUp) else item.value)
            if seen == [b"old", None]:
                await append(kafka, kafka.text_topic, key=b"k", value=b"new")
            if b"new" in seen:
                break
    assert seen == [b"old", None, b"new"]


async def test_a_missing_topic_says_what_mends_it(kafka: KafkaSettings) -> None:
    with pytest.raises(TopicError, match="no-such-log is missing"):
        _ = [record async for record in read_to_end(kafka, "no-such-log")]


@pytest.mark.kafka
async def test_aborted_and_open_transactions_are_neither_seen_nor_waited_for(
    apache_kafka: ApacheKafka,
) -> None:
    kafka = KafkaSettings(
        bootstrap_servers=apache_kafka.bootstrap_servers, text_topic=f"logs.{next(_numbers)}"
    )
    await create_topics(kafka, [TopicSpec(kafka.text_topic, 2, 1)])
    writer = clients.transactional_producer(kafka, transactional_id=kafka.text_topic)
    await writer.start()
    for value, commit in ((b"kept", True), (b"aborted", False)):
        await writer.begin_transaction()
        await writer.send_and_wait(kafka.text_topic, value, partition=0)
        await (writer.commit_transaction() if commit else writer.abort_transaction())
    await writer.begin_transaction()
    await writer.send_and_wait(kafka.text_topic, b"open", partition=0)
    assert await asyncio.wait_for(values(kafka), 60) == [b"kept"]
    newest = await asyncio.wait_for(read_newest(kafka, kafka.text_topic, 20), 60)
    assert [record.value for record in newest] == [b"kept"]
    assert await asyncio.wait_for(read_newest(kafka, kafka.text_topic, 2), 60) == []
    await writer.abort_transaction()
    await writer.stop()


async def test_a_topic_is_read_on_from_where_the_last_reading_ended(kafka: KafkaSettings) -> None:
    topic = kafka.text_topic
    assert await read_since(kafka, topic, {}, most=10) == ([], {0: 0, 1: 0})
    await feed(kafka, [b"%03d" % number for number in range(100)], partitions=2)
    found: list[bytes] = []
    offsets: dict[int, int] = {}
    for _ in range(20):
        records, offsets = await read_since(kafka, topic, offsets, most=10)
        found += [record.value for record in records]
    assert sorted(found) == [b"%03d" % number for number in range(100)]
    await append(kafka, topic, key=b"k", value=b"100")
    records, offsets = await read_since(kafka, topic, offsets, most=10)
    assert [record.value for record in records] == [b"100"]
    assert await read_since(kafka, topic, offsets, most=10) == ([], offsets)


async def test_a_topic_that_is_shorter_than_what_was_read_is_read_anew(
    kafka: KafkaSettings,
) -> None:
    await append(kafka, kafka.text_topic, key=b"k", value=b"new")
    records, _ = await read_since(kafka, kafka.text_topic, {0: 50, 1: 50}, most=10)
    assert [record.value for record in records] == [b"new"]
