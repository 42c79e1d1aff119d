"""Writing many records at once, and knowing which of them the broker refused.

`AIOKafkaProducer.send` costs some 40 µs a record, most of it futures and metadata
look-ups. Filling batches ourselves costs a few, and one future a batch is just as
honest: a batch is accepted or refused as a whole. Refused as too large, it is sent
again record by record, which shows whose output is at fault.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTimestampError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnknownTopicOrPartitionError,
)
from aiokafka.producer.message_accumulator import BatchBuilder

from schemas.errors import BatchRefusedError, RecordsRefusedError
from stream.kafka.clients import MAX_REQUEST_BYTES
from stream.kafka.messages import Outgoing

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
REFUSALS = (*_TOO_LARGE, InvalidTimestampError)
"""What a broker answers when the record itself is at fault; repeating does not help."""
_OVERHEAD_BYTES = 128
"""Batch header and varints, rounded up."""

Addressed: TypeAlias = tuple[int, Outgoing]
"""A record to write, with the offset of the input record that it comes from."""


async def send_all(
    producer: AIOKafkaProducer, records: Iterable[Addressed], *, source_partition: int, singly: bool
) -> None:
    """Write everything and wait until all of it is acknowledged; order holds per partition.

    Raises `BatchRefusedError`, or with `singly` `RecordsRefusedError`, when the broker
    refuses what was sent; any other `KafkaError` as it comes. After an error throw the
    producer away: some of what was sent may be under way still.
    """
    groups = await _grouped(producer, records, source_partition)
    send = _send_singly if singly else _send_packed
    results = await asyncio.gather(
        *(send(producer, items, topic, partition) for (topic, partition), items in groups.items()),
        return_exceptions=True,
    )
    _raise_worst([result for result in results if isinstance(result, BaseException)])


async def _grouped(
    producer: AIOKafkaProducer, records: Iterable[Addressed], source_partition: int
) -> dict[tuple[str, int], list[Addressed]]:
    groups: dict[tuple[str, int], list[Addressed]] = defaultdict(list)
    own: dict[str, int] = {}
    for item in records:
        topic, partition = item[1].topic, item[1].partition
        if partition is None:
            if topic not in own:
                own[topic] = source_partition % len(await producer.partitions_for(topic))
            partition = own[topic]
        groups[topic, partition].append(item)
    for topic, partition in groups:
        # aiokafka only asserts it. A producer learns of new partitions by and by, so it may pass.
        if partition not in await producer.partitions_for(topic):
            raise UnknownTopicOrPartitionError(f"{topic} has no partition {partition} yet")
    return groups


async def _send_packed(
    producer: AIOKafkaProducer, items: Sequence[Addressed], topic: str, partition: int
) -> None:
    deliveries = []
    for batch in _packed(producer, items):
        delivery = await producer.send_batch(batch, topic, partition=partition)
        # Should a later one raise: the failure of this one is seen, not reported as forgotten.
        delivery.add_done_callback(_see)
        deliveries.append(delivery)
    for outcome in await asyncio.gather(*deliveries, return_exceptions=True):
        if isinstance(outcome, REFUSALS):
            raise BatchRefusedError(str(outcome))
        if isinstance(outcome, BaseException):
            raise outcome


def _packed(producer: AIOKafkaProducer, items: Sequence[Addressed]) -> Iterable[BatchBuilder]:
    batch = producer.create_batch()
    for _, record in items:
        size = _append(batch, record)
        if size is None:
            yield batch
            batch = producer.create_batch()
            size = _append(batch, record)
        if size is None or size > MAX_REQUEST_BYTES - _OVERHEAD_BYTES:
            raise BatchRefusedError("a record is larger than a request may be")
    batch.close()
    yield batch


async def _send_singly(
    producer: AIOKafkaProducer, items: Sequence[Addressed], topic: str, partition: int
) -> None:
    for offset, record in items:
        if _size(record) > MAX_REQUEST_BYTES:
            raise RecordsRefusedError(_as_large(items, record))
        batch = producer.create_batch()
        _append(batch, record)
        batch.close()
        try:
            await (await producer.send_batch(batch, topic, partition=partition))
        # No going on after a refusal: a transactional producer has lost count of its sequence.
        except InvalidTimestampError:
            raise RecordsRefusedError(frozenset((offset,))) from None
        except _TOO_LARGE:
            raise RecordsRefusedError(_as_large(items, record)) from None


def _as_large(items: Sequence[Addressed], refused: Outgoing) -> frozenset[int]:
    # What is no smaller would be refused too: found in one go, not in one attempt each.
    limit = _size(refused)
    return frozenset(offset for offset, record in items if _size(record) >= limit)


def _see(delivery: asyncio.Future[object]) -> None:
    if not delivery.cancelled():
        delivery.exception()


def _append(batch: BatchBuilder, record: Outgoing) -> int | None:
    """Add a record and return its size in bytes; None when the batch is full.

    The builder always takes the first record, whatever its size.
    """
    metadata = batch.append(
        timestamp=record.timestamp_ms,
        key=record.key,
        value=record.value,
        headers=list(record.headers),
    )
    return None if metadata is None else metadata.size


def _size(record: Outgoing) -> int:
    headers = sum(len(name) + len(value or b"") + 10 for name, value in record.headers)
    return len(record.value or b"") + len(record.key or b"") + headers + _OVERHEAD_BYTES


def _raise_worst(errors: Sequence[BaseException]) -> None:
    refused = [error for error in errors if isinstance(error, RecordsRefusedError)]
    others = [error for error in errors if not isinstance(error, RecordsRefusedError)]
    if others:
        raise others[0]
    if refused:
        raise RecordsRefusedError(frozenset().union(*(error.offsets for error in refused)))
