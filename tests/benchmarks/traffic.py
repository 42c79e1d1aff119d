"""Producing texts, and watching how far a consumer group has come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.settings import KafkaSettings
from stream.kafka.topics import partition_counts


async def produce(bootstrap: str, topic: str, texts: Sequence[str], *, partitions: int) -> None:
    """Send all texts as fast as they go, round robin over the partitions."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=20)
    await producer.start()
    try:
        for start in range(0, len(texts), 1000):
            chunk = enumerate(texts[start : start + 1000])
            sent = [
                await producer.send(topic, text.encode(), partition=i % partitions)
                for i, text in chunk
            ]
            await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def committed(bootstrap: str, group: str) -> int:
    """How many input records the group has finished, by its committed offsets."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(group)
        return sum(max(0, found.offset) for found in offsets.values())
    finally:
        await admin.close()


async def length(bootstrap: str, topic: str) -> int:
    """How many records a topic without transactions holds."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        partitions = await _partitions(bootstrap, topic)
        return sum((await consumer.end_offsets(partitions)).values())
    finally:
        await consumer.stop()


async def latencies(
    bootstrap: str,
    *,
    topic_in: str,
    topic_out: str,
    texts: Sequence[str],
    per_s: float,
    partitions: int,
) -> list[float]:
    """Send texts at a steady rate under numbered keys; seconds until each key is read back.

    A first text is awaited before, so that a contender's start is in nobody's latency.
    A key that has not come two minutes after the last was sent is left out: it is lost.
    """
    sent_at: dict[bytes, float] = {}
    arrived: dict[bytes, float] = {}
    consumer = await _consumer_at_end(bootstrap, topic_out)
    reader = asyncio.create_task(_read(consumer, arrived, len(texts) + partitions))
    try:
        await _until_awake(bootstrap, topic_in, texts[0], arrived, partitions=partitions)
        await _send_steadily(
            bootstrap, topic_in, texts, per_s=per_s, partitions=partitions, sent_at=sent_at
        )
        await asyncio.wait([reader], timeout=120)
        if reader.done():
            reader.result()
    finally:
        reader.cancel()
        await asyncio.wait([reader])
        await consumer.stop()
    return [arrived[key] - sent for key, sent in sent_at.items() if key in arrived]


async def _until_awake(
    bootstrap: str, topic: str, text: str, arrived: dict[bytes, float], *, partitions: int
) -> None:
    """Send one text to each partition and wait until each has come back."""
    awake = {b"awake-%d" % partition for partition in range(partitions)}
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        for partition, key in enumerate(sorted(awake)):
            await producer.send_and_wait(topic, text.encode(), key=key, partition=partition)
    finally:
        await producer.stop()
    async with asyncio.timeout(300):
        while not awake <= arrived.keys():  # noqa: ASYNC110 - the reading task fills it
            await asyncio.sleep(0.1)


async def _consumer_at_end(bootstrap: str, topic: str) -> AIOKafkaConsumer:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed")
    await consumer.start()
    partitions = await _partitions(bootstrap, topic)
    consumer.assign(partitions)
    await consumer.seek_to_end(*partitions)
    for partition in partitions:
        await consumer.position(partition)
    return consumer


async def _partitions(bootstrap: str, topic: str) -> list[TopicPartition]:
    """Wait until the topic is there, which its contender makes; give its partitions."""
    kafka = KafkaSettings(bootstrap_servers=bootstrap)
    while True:
        count = (await partition_counts(kafka, [topic])).get(topic)
        if count:
            return [TopicPartition(topic, number) for number in range(count)]
        await asyncio.sleep(0.1)


async def _read(consumer: AIOKafkaConsumer, arrived: dict[bytes, float], n: int) -> None:
    while len(arrived) < n:
        batches = await consumer.getmany(timeout_ms=200)
        now = time.perf_counter()
        for records in batches.values():
            for record in records:
                if record.key is not None:
                    arrived.setdefault(record.key, now)


async def _send_steadily(
    bootstrap: str,
    topic: str,
    texts: Sequence[str],
    *,
    per_s: float,
    partitions: int,
    sent_at: dict[bytes, float],
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=0)
    await producer.start()
    begin = time.perf_counter()
    try:
        for i, text in enumerate(texts):
            if (ahead := begin + i / per_s - time.perf_counter()) > 0:
                await asyncio.sleep(ahead)
            key = str(i).encode()
            sent_at[key] = time.perf_counter()
            await producer.send(topic, text.encode(), key=key, partition=i % partitions)
    finally:
        await producer.stop()
