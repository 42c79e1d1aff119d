"""Reading a range of the text topic, and what stands on `entities` for it.

The range is told by the records' timestamps, from `from_ms` up to, not including, `to_ms`. In each
partition it ends at the first record of `to_ms` or later, as Kafka's own index of times has it: a
record that is older, but was written behind that one, is not looked for.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import takewhile

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas.errors import BrokerUnavailableError, DecodeError
from schemas.settings import KafkaSettings
from schemas.types import EntityEvent
from schemas.wire.codec import Codec
from stream.kafka import clients
from stream.kafka.lenient import get_leniently
from stream.kafka.topic_logs import end_offsets
from stream.revise.standing import Survey
from stream.revise.times import TimeRange

_log = structlog.get_logger(__name__)

_POLL_MS = 200
_EVENTS_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Span:
    """Offsets of one partition that hold a range, and with them records that are not of it.

    Records up to `tagged_to` were taken by the lanes, as their group says.
    """

    source: TopicPartition
    start: int
    end: int
    tagged_to: int


async def spans(settings: KafkaSettings, times: TimeRange, *, group_id: str) -> list[Span]:
    """Find where each partition of the text topic holds a range; those without it are left out.

    Raises `TopicError` when the topic is missing, `BrokerUnavailableError` when no broker answers
    within the start-up time.
    """
    ends = await end_offsets(settings, settings.text_topic)
    sources = [TopicPartition(settings.text_topic, number) for number in ends]

    async def find(reader: AIOKafkaConsumer) -> list[Span]:
        starts = await reader.offsets_for_times(dict.fromkeys(sources, times.from_ms))
        return [
            Span(source, found.offset, ends[source.partition], await reader.committed(source) or 0)
            for source in sources
            if (found := starts.get(source)) is not None and found.offset < ends[source.partition]
        ]

    # In the group, to be told its offsets; without a subscription it takes part in nothing.
    return await clients.ask(
        lambda: clients.consumer(settings, group_id=group_id), find, settings=settings
    )


async def texts(
    settings: KafkaSettings, span: Span, times: TimeRange
) -> AsyncGenerator[Sequence[ConsumerRecord]]:
    """Give the records of the range, in order, in batches that may be empty."""
    async with clients.started(lambda: clients.consumer(settings), settings=settings) as reader:
        reader.assign([span.source])
        reader.seek(span.source, span.start)
        found = _records(
            reader,
            span.source,
            end=span.end,
            most=settings.max_batch_records,
            patience_s=settings.startup_timeout_s,
        )
        async with aclosing(found) as batches:
            async for records in batches:
                before = [*takewhile(lambda record: record.timestamp < times.to_ms, records)]
                yield [record for record in before if record.timestamp in times]
                if len(before) < len(records):
                    return


async def survey(
    settings: KafkaSettings, codec: Codec, into: Survey, *, entities: TopicPartition, start: int
) -> int:
    """Read the partition's events from `start` to its end of now; returns that end.

    Waits for transactions that are open now: what another run of ours has committed may stand
    behind one of a lane. Raises `BrokerUnavailableError` when one does not end in time.
    """
    end = await _end_of_all(settings, entities)
    patience_s = settings.startup_timeout_s + settings.transaction_timeout_ms / 1000
    async with clients.started(lambda: clients.consumer(settings), settings=settings) as reader:
        reader.assign([entities])
        beginning = (await reader.beginning_offsets([entities]))[entities]
        reader.seek(entities, max(start, beginning))
        found = _records(reader, entities, end=end, most=_EVENTS_AT_ONCE, patience_s=patience_s)
        async with aclosing(found) as batches:
            async for records in batches:
                await codec.resolve(record.value for record in records)
                for record in records:
                    _take(record, codec, into)
    return end


def _take(record: ConsumerRecord, codec: Codec, into: Survey) -> None:
    try:
        into.add(codec.decode(EntityEvent, record.value or b""), at=record.offset)
    except DecodeError as error:
        where = {"partition": record.partition, "offset": record.offset}
        _log.warning("event_unreadable", topic=record.topic, **where, error=str(error))


async def _end_of_all(settings: KafkaSettings, where: TopicPartition) -> int:
    """Tell where a partition ends, what is not committed yet included."""
    committed = (await end_offsets(settings, where.topic)).get(where.partition, 0)

    async def high_water(reader: AIOKafkaConsumer) -> int:
        end: int = (await reader.end_offsets([where]))[where]
        return end

    written = await clients.ask(
        lambda: clients.consumer(settings, isolation_level="read_uncommitted"),
        high_water,
        settings=settings,
    )
    return max(committed, written)


async def _records(
    reader: AIOKafkaConsumer, source: TopicPartition, *, end: int, most: int, patience_s: float
) -> AsyncGenerator[Sequence[ConsumerRecord]]:
    """Give what stands before `end`; `BrokerUnavailableError` when nothing moves for long."""
    moved_s, position = time.monotonic(), await reader.position(source)
    while position < end:
        records = await get_leniently(reader, source, timeout_ms=_POLL_MS, max_records=most)
        # The position moves past markers of transactions and aborted records too.
        before, position = position, await reader.position(source)
        if position > before:
            moved_s = time.monotonic()
        elif time.monotonic() - moved_s > patience_s:
            raise BrokerUnavailableError(
                f"nothing comes from partition {source.partition} of {source.topic} behind offset "
                f"{position}: its broker is away, or a transaction there does not end"
            )
        yield [record for record in records if record.offset < end]
