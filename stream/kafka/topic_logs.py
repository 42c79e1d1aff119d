"""A topic as a log: read whole or at its end, in no group; followed; appended to.

Promotions and silver labels are read this way: every reader sees everything
committed, from the beginning, and nothing is remembered on the broker.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord, RecordMetadata, TopicPartition

from schemas.errors import TopicError
from schemas.settings import KafkaSettings
from schemas.types import Headers
from stream.kafka import clients
from stream.kafka.aiokafka_errors import too_few_replicas
from stream.kafka.lenient import UNREADABLE, get_leniently
from stream.kafka.signatures import Signatures
from stream.kafka.topics import partition_counts

_POLL_MS = 200


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """`follow` gives this once, when it has given all that was there when it began."""


async def read_to_end(settings: KafkaSettings, topic: str) -> AsyncGenerator[ConsumerRecord, None]:
    """Give every committed record that is there now, each partition in order.

    Raises `TopicError` when the topic is missing, `BrokerUnavailableError` when no
    broker answers within the start-up time.
    """
    async with aclosing(follow(settings, topic)) as items:
        async for item in items:
            if isinstance(item, CaughtUp):
                return
            yield item


async def follow(
    settings: KafkaSettings, topic: str
) -> AsyncGenerator[ConsumerRecord | CaughtUp, None]:
    """Give every committed record from the beginning, then `CaughtUp`, then those to come.

    What must be signed and is not is passed over, here and in all of this module.
    An open transaction at the end is waited for by nobody: its records come later.
    While the broker is away it waits. Close the iterator (`aclosing`) to stop.
    """
    signatures = Signatures.of(settings)
    ends = await _ends(settings, topic)
    async with clients.started(lambda: clients.consumer(settings), settings=settings) as reader:
        reader.assign([*ends])
        await reader.seek_to_beginning(*ends)
        caught_up = False
        while True:
            if not caught_up and await _reached(reader, ends):
                caught_up = True
                yield CaughtUp()
            for records in (await reader.getmany(timeout_ms=_POLL_MS)).values():
                for record in signatures.believed(records):
                    yield record


async def read_newest(settings: KafkaSettings, topic: str, n: int) -> list[ConsumerRecord]:
    """Give the newest `n` committed records or so, each partition in order.

    The partitions give an equal share each, fewer where they are short or where offsets are
    taken by aborted records and transaction markers. Raises as `read_to_end`, and
    `BrokerUnavailableError` too when the reading is not done within the start-up time.
    """
    ends = await _ends(settings, topic)
    found = await clients.ask(
        lambda: clients.consumer(settings),
        lambda reader: _newest(reader, ends, share=math.ceil(n / len(ends))),
        settings=settings,
    )
    return [*Signatures.of(settings).believed(found)]


async def read_since(
    settings: KafkaSettings, topic: str, since: Mapping[int, int], *, most: int
) -> tuple[list[ConsumerRecord], dict[int, int]]:
    """Give committed records from the offsets `since` on, and the offsets to go on from.

    Each partition gives up to about `most`, in order; one that `since` does not name, or that is
    shorter by now, is read from its beginning. Raises as `read_newest`.
    """
    ends = await _ends(settings, topic)
    starts = {where: since.get(where.partition, 0) for where in ends}
    starts = {where: start if start <= ends[where] else 0 for where, start in starts.items()}
    if starts == ends:
        return [], {where.partition: end for where, end in ends.items()}
    found, positions = await clients.ask(
        lambda: clients.consumer(settings),
        lambda reader: _from(reader, starts, ends, most=most),
        settings=settings,
    )
    return [*Signatures.of(settings).believed(found)], positions


async def end_offsets(settings: KafkaSettings, topic: str) -> dict[int, int]:
    """Tell where each partition of the topic ends; raises as `read_to_end`."""
    return {where.partition: end for where, end in (await _ends(settings, topic)).items()}


async def offset_spans(settings: KafkaSettings, topic: str) -> dict[int, tuple[int, int]]:
    """Tell where each partition of the topic begins and ends; raises as `read_to_end`."""
    ends = await _ends(settings, topic)
    starts = await clients.ask(
        lambda: clients.consumer(settings),
        lambda reader: reader.beginning_offsets([*ends]),
        settings=settings,
    )
    return {where.partition: (starts[where], end) for where, end in ends.items()}


async def append(
    settings: KafkaSettings,
    topic: str,
    *,
    key: bytes | None,
    value: bytes | None,
    headers: Headers = (),
    partition: int | None = None,
) -> RecordMetadata:
    """Write one record and wait until every in-sync replica has it; returns where it went.

    It is signed where its topic's are. Without a `partition` the key says which one it goes to.
    Raises `BrokerUnavailableError`, also where too few replicas are in sync.
    """
    headers = (*headers, *Signatures.of(settings).headers(topic, key, value))
    async with clients.started(lambda: clients.producer(settings), settings=settings) as writer:
        try:
            return await writer.send_and_wait(
                topic, value, key, partition=partition, headers=list(headers)
            )
        except KafkaError as error:
            raise too_few_replicas(error, topic) or error from None


async def _partitions(settings: KafkaSettings, topic: str) -> list[TopicPartition]:
    count = (await partition_counts(settings, [topic])).get(topic)
    if count is None:
        raise TopicError(f"topic {topic} is missing: run `silverstream topics create`")
    return [TopicPartition(topic, number) for number in range(count)]


async def _ends(settings: KafkaSettings, topic: str) -> dict[TopicPartition, int]:
    partitions = await _partitions(settings, topic)
    return await clients.ask(
        lambda: clients.consumer(settings),
        lambda reader: _last_stable_offsets(reader, partitions),
        settings=settings,
    )


async def _newest(
    reader: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], *, share: int
) -> list[ConsumerRecord]:
    reader.assign([*ends])
    starts = await reader.beginning_offsets([*ends])
    found: list[ConsumerRecord] = []
    for where, end in ends.items():
        reader.seek(where, max(starts[where], end - share))
    for where, end in ends.items():
        while await reader.position(where) < end:
            found += await get_leniently(reader, where, timeout_ms=_POLL_MS, max_records=share)
    return found


async def _from(
    reader: AIOKafkaConsumer,
    starts: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
    *,
    most: int,
) -> tuple[list[ConsumerRecord], dict[int, int]]:
    reader.assign([*ends])
    first = await reader.beginning_offsets([*ends])
    found: list[ConsumerRecord] = []
    positions: dict[int, int] = {}
    for where, end in ends.items():
        reader.seek(where, max(starts[where], first[where]))
        n = len(found)
        while (position := await reader.position(where)) < end and len(found) - n < most:
            found += await get_leniently(reader, where, timeout_ms=_POLL_MS, max_records=most)
        positions[where.partition] = position
    return found, positions


async def _last_stable_offsets(
    reader: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, int]:
    """Find where these partitions end, with a reader of no use afterwards.

    Tansu 0.6.0 answers ListOffsets as if the last batch held one record, so the end is
    taken from the answer to a fetch near it, which is right on every broker.
    """
    reader.assign(partitions)
    ends: dict[TopicPartition, int] = await reader.end_offsets(partitions)
    unsure = {where for where, end in ends.items() if end > 0}
    for where in unsure:
        reader.seek(where, ends[where] - 1)
    while unsure:
        with contextlib.suppress(*UNREADABLE):  # the answer has come all the same
            await reader.getmany(*unsure, timeout_ms=_POLL_MS)
        for where in list(unsure):
            if (end := reader.last_stable_offset(where)) is not None:
                ends[where] = max(ends[where], end)
                unsure.remove(where)
    return ends


async def _reached(reader: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> bool:
    for partition, end in ends.items():
        # The position moves past aborted records and transaction markers too.
        if await reader.position(partition) < end:
            return False
    return True
