"""What tests of lanes share: a worker that runs meanwhile, an observer that remembers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from aiokafka import ConsumerRecord

from schemas.errors import DecodeError
from schemas.settings import KafkaSettings
from schemas.wire.record_ids import record_id
from stream.kafka import clients
from stream.kafka.lane.observer import BatchReport
from stream.kafka.lane.worker import LaneWorker
from stream.kafka.messages import Failed, Outgoing, Processor

_POLL_S = 0.02


class RememberingObserver:
    """Keeps all that it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.partitions: list[int] = []
        self.reports: list[BatchReport] = []
        self.errors: list[Exception] = []
        self.expirations: list[int] = []

    @property
    def records(self) -> int:
        """How many records were delivered in all."""
        return sum(report.records for report in self.reports)

    def assigned(self, partitions: Sequence[int]) -> None:
        """Remember which partitions are ours."""
        self.events.append("assigned")
        self.partitions = list(partitions)

    def revoked(self, partitions: Sequence[int]) -> None:  # noqa: ARG002  # all are gone
        """Remember that none is ours."""
        self.events.append("revoked")
        self.partitions = []

    def delivered(self, report: BatchReport) -> None:
        """Remember the batch."""
        self.events.append("delivered")
        self.reports.append(report)

    def retried(self, partition: int, error: Exception) -> None:  # noqa: ARG002  # as told
        """Remember the error."""
        self.events.append("retried")
        self.errors.append(error)

    def expired(self, partition: int, records: int) -> None:  # noqa: ARG002  # as told
        """Remember how many records expired."""
        self.expirations.append(records)


@asynccontextmanager
async def running(worker: LaneWorker) -> AsyncIterator[asyncio.Task[None]]:
    """Run a worker meanwhile; then stop it in order, and raise what ended it, if anything did."""
    task = asyncio.create_task(worker.run())
    try:
        yield task
    except BaseException:
        task.cancel()
        await asyncio.wait((task,))
        raise
    worker.request_stop()
    await task


async def until(condition: Callable[[], bool | Awaitable[bool]], *, deadline_s: float = 60) -> None:
    """Wait for a condition; raises `TimeoutError` after a generous deadline."""
    deadline = time.monotonic() + deadline_s
    while True:
        held = condition()
        if held if isinstance(held, bool) else await held:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {deadline_s} s: {condition}")
        await asyncio.sleep(_POLL_S)


async def feed(
    settings: KafkaSettings, values: Sequence[bytes | None], *, partitions: int, topic: str = ""
) -> list[str]:
    """Write values to the text topic, partition by turns; returns their record ids in order.

    The topic must be empty, or ids would be wrong.
    """
    topic = topic or settings.text_topic
    async with clients.started(lambda: clients.producer(settings), settings=settings) as producer:
        sent = [
            await producer.send(topic, value, key=b"key", partition=number % partitions)
            for number, value in enumerate(values)
        ]
        places = await asyncio.gather(*sent)
    return [record_id(place.topic, place.partition, place.offset) for place in places]


def echo(out: str) -> Processor:
    """Answer each record with its id, to the same partition of `out`.

    `poison` fails, a null value is a delete.
    """

    async def process(records: Sequence[ConsumerRecord]) -> list[Sequence[Outgoing] | Failed]:
        return [_answer(record, out) for record in records]

    return process


def _answer(record: ConsumerRecord, out: str) -> Sequence[Outgoing] | Failed:
    if record.value is None:
        return ()
    if record.value.startswith(b"poison"):
        return Failed(DecodeError("poison"))
    name = record_id(record.topic, record.partition, record.offset)
    return (Outgoing(out, name.encode(), key=record.key),)
