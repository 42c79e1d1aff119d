"""Records with a header name that is not UTF-8, which aiokafka 0.14 cannot read.

It decodes names strictly, and a batch from its start whatever the position: one such
record makes all that follow it in its batch unreadable. So the batch is fetched once
more and decoded leniently, the record at fault fails alone, and the rest is processed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final, SupportsIndex

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException, LeaderNotAvailableError, NoError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.legacy_records import LegacyRecordBatch
from aiokafka.record.memory_records import _MemoryRecordsPy

from schemas.errors import DecodeError
from stream.kafka.clients import FETCH_MAX_WAIT_MS, MAX_REQUEST_BYTES
from stream.kafka.messages import Failed, Outgoing, Processor

UNREADABLE: Final = (UnicodeDecodeError, CorruptRecordException)
"""What `getmany` raises: the former from aiokafka's C extension, the latter without it."""
_ABORTED_LAST_BUT_ONE: Final = 10
"""The last version of the fetch API whose answer ends with aborted transactions and records."""


async def get_leniently(
    consumer: AIOKafkaConsumer, source: TopicPartition, *, timeout_ms: int, max_records: int
) -> Sequence[ConsumerRecord]:
    """`getmany` of one partition, which no header name stops; raises `KafkaError` as it does."""
    try:
        fetched: Mapping[TopicPartition, Sequence[ConsumerRecord]]
        fetched = await consumer.getmany(source, timeout_ms=timeout_ms, max_records=max_records)
    except UNREADABLE:
        return await fetch_leniently(consumer, source, max_records=max_records)
    return fetched.get(source, ())


async def fetch_leniently(
    consumer: AIOKafkaConsumer, source: TopicPartition, *, max_records: int
) -> list[ConsumerRecord]:
    """Fetch committed records from the position on, and move it past them.

    Bytes of a header name that are not UTF-8 become surrogates (PEP 383). Raises
    `KafkaError`; the position then stays.
    """
    position = await consumer.position(source)
    data, aborted = await _fetch(consumer, source, position)
    records = PartitionRecords(
        source, _Records(data), aborted, position, None, None, True, READ_COMMITTED
    )
    taken = list(islice(records, max_records))
    consumer.seek(source, records.next_fetch_offset)
    return taken


def failing_unreadable(processor: Processor) -> Processor:
    """Make a processor that fails the records `processor` must not see."""

    async def process(records: Sequence[ConsumerRecord]) -> Sequence[Sequence[Outgoing] | Failed]:
        readable = [record for record in records if is_readable(record)]
        if len(readable) == len(records):
            return await processor(records)
        results = iter(await processor(readable) if readable else ())
        return [next(results) if is_readable(record) else _failed(record) for record in records]

    return process


def _failed(record: ConsumerRecord) -> Sequence[Outgoing] | Failed:
    if record.value is None:  # a delete, whatever its headers
        return ()
    return Failed(DecodeError("the name of a header is not UTF-8"))


def is_readable(record: ConsumerRecord) -> bool:
    """Whether the names of a record's headers are UTF-8."""
    return all(name.isascii() or _is_utf8(name) for name, _ in record.headers)


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


async def _fetch(
    consumer: AIOKafkaConsumer, source: TopicPartition, position: int
) -> tuple[bytes, Any]:
    """Fetch once; returns the records' bytes and the aborted transactions among them."""
    client = consumer._client  # noqa: SLF001  # no public way to a record's bytes
    leader = client.cluster.leader_for_partition(source)
    if leader in {None, -1}:
        raise LeaderNotAvailableError(source)
    asked = [(source.topic, [(source.partition, position, MAX_REQUEST_BYTES)])]
    request = FetchRequest(FETCH_MAX_WAIT_MS, 1, MAX_REQUEST_BYTES, READ_COMMITTED, asked)
    response = await client.send(leader, request)
    ((_, ((_, code, _, *rest),)),) = response.topics
    if (error := for_code(code)) is not NoError:
        raise error(source)
    aborted = rest[-2] if response.API_VERSION <= _ABORTED_LAST_BUT_ONE else rest[-3]
    return rest[-1], aborted


class _Records(_MemoryRecordsPy):  # type: ignore[misc]  # final, but its batches are made inside
    def next_batch(self) -> Any:
        data = self._next_slice
        batch = super().next_batch()
        return batch if isinstance(batch, LegacyRecordBatch) else _Batch(data)


class _Batch(_DefaultRecordBatchPy):  # type: ignore[misc]  # as above
    _buffer: bytearray

    def __iter__(self) -> _Batch:
        super().__iter__()
        self._buffer = _LenientBytes(self._buffer)
        return self


class _LenientBytes(bytearray):
    """Bytes whose slices decode without an error: so header names are decoded."""

    def __getitem__(self, where: SupportsIndex | slice) -> Any:
        found = super().__getitem__(where)
        return _LenientBytes(found) if isinstance(where, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> str:
        return super().decode(encoding, errors)
