"""The run's own Kafka client: it produces the texts and reads what the system says.

One consumer in no group reads the output topics from their beginning, committed records only.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.files.corpus import Example
from schemas.settings import Settings
from schemas.types import EntityEvent, Promotion, SilverLabel, TeacherRequest
from schemas.wire.codec import Codec
from schemas.wire.record_ids import record_id
from schemas.wire.topics import TopicNames
from stream.kafka.clients import consumer, producer, started
from stream.kafka.topic_logs import end_offsets
from stream.lab.observations import Observations

_POLL_MS = 200


@dataclass(slots=True)
class Client:
    """Produces and observes; an async context manager."""

    settings: Settings
    seen: Observations = field(default_factory=Observations)
    label_ends: dict[str, int] = field(default_factory=dict)
    """How far the labels topic has been read: end offsets by partition."""
    _codec: Codec = field(default_factory=Codec)
    _turn: count[int] = field(default_factory=count)
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)
    _producer: AIOKafkaProducer | None = None
    _reader: AIOKafkaConsumer | None = None
    _reading: asyncio.Task[None] | None = None

    @property
    def names(self) -> TopicNames:
        """The run's topics."""
        return TopicNames.of(self.settings.kafka)

    async def send(self, examples: Sequence[Example]) -> dict[str, Example]:
        """Produce the texts, in turn over the partitions; record id to example, once stored."""
        futures = [await self._send_one(example.text) for example in examples]
        stored = [await future for future in futures]
        return {
            record_id(where.topic, where.partition, where.offset): example
            for where, example in zip(stored, examples, strict=True)
        }

    async def caught_up(self) -> None:
        """Wait until all that the topics hold now has been taken in."""
        assert self._reader is not None  # noqa: S101  # made on entering
        for topic in self._takers():
            for partition, end in (await end_offsets(self.settings.kafka, topic)).items():
                # Positions, not records: markers of transactions take offsets too.
                while await self._reader.position(TopicPartition(topic, partition)) < end:
                    self.check()
                    await asyncio.sleep(_POLL_MS / 1000)
        # What was fetched last is handed to the reading task now.
        await asyncio.sleep(_POLL_MS / 1000)

    def check(self) -> None:
        """Raise what ended the reading, if it ended."""
        if self._reading and self._reading.done():
            self._reading.result()

    async def __aenter__(self) -> Self:
        """Connect, and begin to read."""
        kafka, enter = self.settings.kafka, self._open.enter_async_context
        self._producer = await enter(started(lambda: producer(kafka), settings=kafka))
        reader = await enter(started(lambda: consumer(kafka), settings=kafka))
        reader.assign(self._partitions())
        await reader.seek_to_beginning()
        self._reader, self._reading = reader, asyncio.create_task(self._read(reader))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop reading and disconnect."""
        if self._reading:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._reading
        await self._open.aclose()

    async def _send_one(self, text: str) -> asyncio.Future[Any]:
        assert self._producer is not None  # noqa: S101  # made on entering
        partition = next(self._turn) % self.settings.topics.partitions
        future: asyncio.Future[Any] = await self._producer.send(
            self.names.text, text.encode(), partition=partition
        )
        return future

    def _partitions(self) -> list[TopicPartition]:
        n = self.settings.topics.partitions
        topics = dict.fromkeys(self._takers(), n) | {self.names.promotions: 1}
        return [TopicPartition(topic, i) for topic, n in topics.items() for i in range(n)]

    def _takers(self) -> Mapping[str, Callable[[Any], None]]:
        names, seen = self.names, self.seen
        return {
            names.entities: lambda record: seen.add_event(self._decode(EntityEvent, record)),
            names.teacher_requests: lambda record: seen.add_request(
                self._decode(TeacherRequest, record)
            ),
            names.silver_labels: self._take_label,
            names.promotions: lambda record: seen.add_promotion(self._decode(Promotion, record)),
            names.dead_letters: lambda record: seen.add_dead_letter(origin(record.headers)),
        }

    def _take_label(self, record: Any) -> None:
        self.label_ends[str(record.partition)] = record.offset + 1
        self.seen.add_label(self._decode(SilverLabel, record))

    def _decode(self, kind: type[Any], record: Any) -> Any:
        return self._codec.decode(kind, record.value)

    async def _read(self, reader: AIOKafkaConsumer) -> None:
        takers = self._takers()
        while True:
            batches = await reader.getmany(timeout_ms=_POLL_MS)
            for where, records in batches.items():
                for record in records:
                    takers[where.topic](record)


def origin(headers: Sequence[tuple[str, bytes]]) -> str:
    """Return the record id that a dead letter was."""
    values = {name: value.decode() for name, value in headers if name.startswith(_ERRORS)}
    return record_id(
        values[f"{_ERRORS}topic"],
        int(values[f"{_ERRORS}partition"]),
        int(values[f"{_ERRORS}offset"]),
    )


_ERRORS = "__connect.errors."
