"""Looking for the records of one thing: one partition, from a time on, and no more than a bound.

A topic is read from where its index of times has the moment that is looked for. What stands before
that is read where nothing was found behind it, as where a producer's clock goes wrong, or where
it is asked for; so what is newer goes first where the bound allows no more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas.settings import KafkaSettings
from stream.kafka import clients
from stream.kafka.lenient import get_leniently
from stream.kafka.signatures import Signatures
from stream.kafka.topic_logs import end_offsets

_POLL_MS = 200
_AT_ONCE = 2_000

Whereabouts = Literal["there", "expired", "to come", "gone"]
"""Of a record. `gone`: it stands between others and is none, as it was compacted or aborted."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found, in order. `read` records were looked at; `cut` where there were more.

    `first` is the first offset that the partition still has: above 0, retention took what was
    before, or compaction.
    """

    found: list[ConsumerRecord]
    read: int
    cut: bool
    first: int


async def read_at(
    settings: KafkaSettings, topic: str, partition: int, offset: int
) -> tuple[Whereabouts, ConsumerRecord | None]:
    """Read the record at an offset, or say what became of it.

    A partition that there is not has it to come. Raises `TopicError` when the topic is missing,
    `BrokerUnavailableError` when no broker answers within the start-up time.
    """
    end = (await end_offsets(settings, topic)).get(partition, 0)
    if offset >= end:
        return "to come", None
    where, signatures = TopicPartition(topic, partition), Signatures.of(settings)

    async def read(reader: AIOKafkaConsumer) -> tuple[Whereabouts, ConsumerRecord | None]:
        reader.assign([where])
        if offset < (await reader.beginning_offsets([where]))[where]:
            return "expired", None
        reader.seek(where, offset)
        while await reader.position(where) <= offset:
            records = await get_leniently(reader, where, timeout_ms=_POLL_MS, max_records=1)
            for record in signatures.believed(records):
                return ("there", record) if record.offset == offset else ("gone", None)
        return "gone", None

    return await clients.ask(lambda: clients.consumer(settings), read, settings=settings)


async def look(
    settings: KafkaSettings,
    topic: str,
    partition: int,
    wanted: Callable[[ConsumerRecord], bool],
    *,
    since_ms: int,
    most: int,
    before_too: bool = False,
) -> Look:
    """Look for records written since a time (Unix, milliseconds), among about `most` at most.

    Those from before are looked for where there are none, or where they are to be found too.

    A partition that there is not holds nothing. Raises as `read_at`.
    """
    end = (await end_offsets(settings, topic)).get(partition, 0)
    if not end:
        return Look([], 0, cut=False, first=0)
    where, signatures = TopicPartition(topic, partition), Signatures.of(settings)

    def is_wanted(record: ConsumerRecord) -> bool:
        return wanted(record) and any(signatures.believed([record]))

    async def search(reader: AIOKafkaConsumer) -> Look:
        reader.assign([where])
        first = (await reader.beginning_offsets([where]))[where]
        indexed = (await reader.offsets_for_times({where: max(since_ms, 0)})).get(where)
        start = max(first, indexed.offset) if indexed is not None else end
        later = await _between(reader, where, start, end, is_wanted, most=most)
        if later.cut or (later.found and not before_too):
            return Look(later.found, later.read, cut=later.cut, first=first)
        left = most - later.read
        earlier = await _between(reader, where, first, start, is_wanted, most=left)
        found, read = [*earlier.found, *later.found], earlier.read + later.read
        return Look(found, read, cut=earlier.cut, first=first)

    return await clients.ask(lambda: clients.consumer(settings), search, settings=settings)


async def _between(
    reader: AIOKafkaConsumer,
    where: TopicPartition,
    start: int,
    end: int,
    wanted: Callable[[ConsumerRecord], bool],
    *,
    most: int,
) -> Look:
    """Look from one offset up to another, which is left out."""
    reader.seek(where, start)
    found: list[ConsumerRecord] = []
    read = 0
    while (position := await reader.position(where)) < end and read < most:
        n = min(_AT_ONCE, most - read, end - position)
        records = await get_leniently(reader, where, timeout_ms=_POLL_MS, max_records=n)
        read += len(records)
        found += [record for record in records if record.offset < end and wanted(record)]
    return Look(found, read, cut=position < end, first=start)
