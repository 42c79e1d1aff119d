"""Writing revisions: each batch in a transaction, under an id that belongs to the input partition.

Opening fences whoever held the id before, and settles what that one had under way; what stands is
read only then. So of two runs that cross each other none publishes what the other has. Without
transactions (`kafka.delivery: at_least_once`) a batch that was cut off may stand in part, and the
next run sees what does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError, ProducerFenced

from schemas.errors import BatchRefusedError, FencedError
from schemas.settings import KafkaSettings
from stream.kafka import clients
from stream.kafka.lane.delivery import discard
from stream.kafka.lane.fault_points import FaultHook, no_fault
from stream.kafka.lane.sending import Addressed, send_all

_ABORT_TIMEOUT_S = 2.0


class Publisher:
    """The only writer of revisions of one input partition, from `open` until `close`."""

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        source: TopicPartition,
        transactional_prefix: str,
        fault_hook: FaultHook = no_fault,
    ) -> None:
        self._settings = settings
        self._source = source
        self._transactional_id = f"{transactional_prefix}-{source.topic}-{source.partition}"
        self._at = fault_hook
        self._producer: AIOKafkaProducer | None = None
        self._open_transaction = False

    async def open(self) -> None:
        """Become the only writer; `BrokerUnavailableError` within the start-up time."""
        self._producer = await clients.start_with_retry(
            self._maker(),
            timeout_s=self._settings.startup_timeout_s,
            servers=self._settings.bootstrap_servers,
        )

    async def publish(self, records: Sequence[Addressed]) -> int:
        """Write all, or nothing; returns how many the brokers refused as too large, each alone.

        Raises `FencedError` when another run took over this partition, `KafkaError`.
        """
        try:
            await self._write(records)
        except BatchRefusedError:
            await self._reopen()
            return await self._one_by_one(records) if len(records) > 1 else 1
        return 0

    async def close(self) -> None:
        """Abort what is open, or readers would stall until it times out; then go."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        if self._open_transaction:
            self._open_transaction = False
            with suppress(KafkaError, AssertionError, IllegalOperation, TimeoutError):
                await asyncio.wait_for(producer.abort_transaction(), _ABORT_TIMEOUT_S)
        await discard(producer)

    async def _one_by_one(self, records: Sequence[Addressed]) -> int:
        return sum([await self.publish([record]) for record in records])

    async def _reopen(self) -> None:
        await self.close()
        await self.open()

    def _maker(self) -> Callable[[], AIOKafkaProducer]:
        if self._settings.delivery == "at_least_once":
            return lambda: clients.producer(self._settings)
        return lambda: clients.transactional_producer(
            self._settings, transactional_id=self._transactional_id
        )

    async def _write(self, records: Sequence[Addressed]) -> None:
        if self._producer is None:
            raise RuntimeError("the publisher is not open")
        self._at("before_produce")
        try:
            await self._deliver(self._producer, records)
        except ProducerFenced as error:
            self._open_transaction = False
            raise FencedError(
                f"another `silverstream revise` took over partition {self._source.partition} of "
                f"{self._source.topic}: let one run at a time"
            ) from error
        except (AssertionError, IllegalOperation) as error:
            # aiokafka checks its state machine, which its sender may have ended meanwhile.
            raise KafkaError(f"the producer is in no state to deliver: {error}") from error
        self._at("after_commit")

    async def _deliver(self, producer: AIOKafkaProducer, records: Sequence[Addressed]) -> None:
        transactional = self._settings.delivery == "exactly_once"
        if transactional:
            await producer.begin_transaction()
            self._open_transaction = True
        partition = self._source.partition
        await send_all(producer, records, source_partition=partition, singly=False)
        self._at("after_produce")
        if transactional:
            await producer.commit_transaction()
            self._open_transaction = False
