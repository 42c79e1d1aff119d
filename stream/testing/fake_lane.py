"""A lane against a consumer and a delivery that can be checked by hand, without a broker."""
# ruff: noqa: ARG002, D102 - the methods are those of aiokafka's consumer and of a delivery

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError

from schemas.retry import Backoff
from schemas.settings import KafkaSettings
from stream.kafka.dead_letters import DeadLetters
from stream.kafka.lane.delivery import Parcel
from stream.kafka.lane.lane import Lane
from stream.kafka.messages import Outgoing, Processor
from stream.testing.fake_time import NO_WAIT
from stream.testing.lanes import RememberingObserver, until

SOURCE = TopicPartition("text", 0)


class FakeConsumer:
    """A partition of `end` records, with a committed offset."""

    def __init__(self, end: int, *, committed: int | None = None) -> None:
        self.end = end
        self.offset: int | None = committed
        self.at = 0
        self.beginning = 0
        self.gaps: set[int] = set()
        self.expires_at_fetch = 0
        self.zombie = False
        self.confirmed: list[int] = []

    async def committed(self, source: TopicPartition) -> int | None:
        return self.offset

    def seek(self, source: TopicPartition, offset: int) -> None:
        self.at = offset

    async def seek_to_beginning(self, source: TopicPartition) -> None:
        self.at = 0

    async def position(self, source: TopicPartition) -> int:
        return self.at

    async def beginning_offsets(self, sources: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(sources, self.beginning)

    async def end_offsets(self, sources: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(sources, self.end)

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if self.zombie:
            raise CommitFailedError
        self.confirmed.append(offsets[SOURCE])

    def assignment(self) -> set[TopicPartition]:
        return {SOURCE}

    def last_stable_offset(self, source: TopicPartition) -> int:
        return self.end

    async def getmany(
        self, source: TopicPartition, *, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        self.beginning = max(self.beginning, self.expires_at_fetch)
        if not self.beginning <= self.at <= self.end:
            self.at = self.beginning  # as aiokafka does, without a word
        last = min(self.end, self.at + max_records)
        records = [
            ConsumerRecord("text", 0, offset, 0, 0, None, b"%d" % offset, None, -1, 1, ())
            for offset in range(self.at, last)
            if offset not in self.gaps
        ]
        self.at = last
        await asyncio.sleep(0)
        return {SOURCE: records} if records else {}


class FakeDelivery:
    """Writes down what is delivered; raises the errors it was given first."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    async def open(self) -> None:
        self.shelf.opened += 1

    async def deliver(self, parcel: Parcel) -> None:
        await self.shelf.gate.wait()
        if self.shelf.errors:
            raise self.shelf.errors.pop(0)
        self.shelf.parcels.append(parcel)
        self.shelf.consumer.offset = parcel.next_offset

    async def close(self) -> None:
        self.shelf.closed += 1


class Shelf:
    """All that the deliveries of one lane did."""

    def __init__(self, consumer: FakeConsumer, errors: Sequence[Exception] = ()) -> None:
        self.consumer = consumer
        self.errors = list(errors)
        self.parcels: list[Parcel] = []
        self.opened = self.closed = 0
        self.gate = asyncio.Event()
        self.gate.set()

    @property
    def values(self) -> list[bytes | None]:
        return [output.value for parcel in self.parcels for _, output in parcel.records]


async def copy(records: Sequence[ConsumerRecord]) -> list[tuple[Outgoing]]:
    """Answer each record with its value: a processor."""
    return [(Outgoing("out", record.value),) for record in records]


def make_lane(
    shelf: Shelf,
    observer: RememberingObserver,
    *,
    processors: Sequence[Processor] = (),
    delivery: Literal["at_least_once", "exactly_once"] = "exactly_once",
    backoff: Backoff = NO_WAIT,
    window: int = 200,
    make_room: Callable[[], Awaitable[None]] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Lane:
    """Make a lane of the shelf's consumer: `processors` one after the other, then `copy`."""
    left = list(processors)
    return Lane(
        SOURCE,
        settings=KafkaSettings(
            max_batch_records=10, delivery=delivery, failure_window_records=window
        ),
        consumer=shelf.consumer,
        make_delivery=lambda: FakeDelivery(shelf),
        make_processor=lambda _: left.pop(0) if left else copy,
        letters=DeadLetters(topic="dead", app="a"),
        observer=observer,
        make_room=make_room,
        backoff=backoff,
        clock=clock,
    )


async def finish(lane: Lane, shelf: Shelf, n_values: int) -> None:
    """Run the lane until so many values were delivered, or it ends; raises what ended it."""
    task = asyncio.create_task(lane.run())
    await until(lambda: len(shelf.values) >= n_values or task.done())
    lane.request_stop()
    await task


def numbers(first: int, last: int) -> list[bytes | None]:
    """Give the values of the records from `first` to before `last`."""
    return [b"%d" % number for number in range(first, last)]
