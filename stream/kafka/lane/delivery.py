"""Two promises, one protocol: how a lane's results reach Kafka together with its progress.

* `AtLeastOnce`: write, await every acknowledgement, then commit the offset through the
  consumer. A crash in between repeats the batch.
* `ExactlyOnce`: write and commit the offset in one transaction. The transactional id
  belongs to the *input partition*: aiokafka 0.14 sends neither member nor generation with
  the offsets (no KIP-447), so starting a new producer under the same id is what fences a
  zombie, as Kafka Streams did before KIP-447. So does one after an end or an offset that was
  not answered (`stream.kafka.transactional`).

A delivery serves one lane from `open` until `close` or the first error, then it is
thrown away: after an error a producer's state is not worth guessing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError, ProducerFenced

from schemas.errors import FencedError
from stream.kafka.lane.fault_points import FaultHook
from stream.kafka.lane.sending import Addressed, send_all

_ABORT_TIMEOUT_S = 2.0
_CANCELS = 3
_CANCEL_TIMEOUT_S = 0.5


@dataclass(frozen=True, slots=True)
class Parcel:
    """The results of one batch: what to write, and the offset that follows the batch.

    `singly` sends record by record, to learn which one the broker refuses.
    """

    records: Sequence[Addressed]
    next_offset: int
    singly: bool = False


class Delivery(Protocol):
    """Writes parcels and commits their offsets, in order, one at a time."""

    async def open(self) -> None:
        """Become the lane's only writer."""

    async def deliver(self, parcel: Parcel) -> None:
        """Return when parcel and offset are safe; on any error neither may be assumed."""

    async def close(self) -> None:
        """Release everything within a few seconds, whatever state it is in."""


class AtLeastOnce:
    """Write, then commit through the consumer group; for brokers without transactions too."""

    def __init__(
        self,
        producer: AIOKafkaProducer,
        *,
        source: TopicPartition,
        consumer: AIOKafkaConsumer,
        fault_hook: FaultHook,
    ) -> None:
        self._producer = producer
        self._source = source
        self._consumer = consumer
        self._at = fault_hook

    async def open(self) -> None:
        """Connect."""
        await self._producer.start()

    async def deliver(self, parcel: Parcel) -> None:
        """Write everything, then commit the offset."""
        self._at("before_produce")
        await send_all(
            self._producer,
            parcel.records,
            source_partition=self._source.partition,
            singly=parcel.singly,
        )
        self._at("after_produce")
        await self._consumer.commit({self._source: parcel.next_offset})
        self._at("after_commit")

    async def close(self) -> None:
        """Drop the producer; what it has not been asked to deliver does not exist."""
        await discard(self._producer)


class ExactlyOnce:
    """One transaction a parcel, with the group's offset in it; `producer` is transactional."""

    def __init__(
        self,
        producer: AIOKafkaProducer,
        *,
        source: TopicPartition,
        group_id: str,
        fault_hook: FaultHook,
    ) -> None:
        self._producer = producer
        self._source = source
        self._group_id = group_id
        self._at = fault_hook
        self._open_transaction = False

    async def open(self) -> None:
        """Fence whoever held the id before; what they left open is aborted when this returns."""
        await self._producer.start()

    async def deliver(self, parcel: Parcel) -> None:
        """Write and commit in one transaction; raises `FencedError` when another took the id."""
        try:
            await self._deliver(parcel)
        except ProducerFenced as error:
            self._open_transaction = False
            raise FencedError(
                f"another process took over partition {self._source.partition} of "
                f"{self._source.topic} (transactional id in use elsewhere)"
            ) from error
        except (AssertionError, IllegalOperation) as error:
            # aiokafka checks its state machine, which its sender may have ended meanwhile.
            raise KafkaError(f"the producer is in no state to deliver: {error}") from error

    async def _deliver(self, parcel: Parcel) -> None:
        self._at("before_produce")
        await self._producer.begin_transaction()
        self._open_transaction = True
        await send_all(
            self._producer,
            parcel.records,
            source_partition=self._source.partition,
            singly=parcel.singly,
        )
        self._at("after_produce")
        offsets = {self._source: parcel.next_offset}
        await self._producer.send_offsets_to_transaction(offsets, self._group_id)
        self._at("after_offsets")
        await self._producer.commit_transaction()
        self._open_transaction = False
        self._at("after_commit")

    async def close(self) -> None:
        """Abort what is open, or readers would stall until it times out; then drop the producer."""
        if self._open_transaction:
            with suppress(KafkaError, AssertionError, IllegalOperation, TimeoutError):
                await asyncio.wait_for(self._producer.abort_transaction(), _ABORT_TIMEOUT_S)
        await discard(self._producer)


async def discard(producer: AIOKafkaProducer) -> None:
    """Drop a producer with whatever it still holds.

    `AIOKafkaProducer.stop` flushes first, which never ends while the broker is away (an
    idempotent producer does not expire its batches), and leaves its sender behind when cut
    short. A lane awaits all it sends, so nothing here is worth flushing.
    """
    producer._closed = True  # noqa: SLF001  # aiokafka has no public way, see above
    await producer.client.close()
    sender = producer._sender.sender_task  # noqa: SLF001  # as above
    # Cancelled once it awaits its requests, of which one may look for a coordinator for ever;
    # cancelled again it passes that on.
    for _ in range(_CANCELS):
        if sender is not None and not sender.done():
            sender.cancel()
            await asyncio.wait([sender], timeout=_CANCEL_TIMEOUT_S)
    # The cancelled sender may have connected once more meanwhile.
    await producer.client.close()
