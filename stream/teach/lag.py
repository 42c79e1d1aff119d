"""How far the teach agent is behind, and for how long it has stood still with requests to read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError
from faust.exceptions import ConsumerNotStarted

from stream.kafka.standstill import Standstill

_POSITION_TIMEOUT_S = 5.0


class AgentConsumer(Protocol):
    """What is asked of Faust's consumer, which lives in a thread of its own."""

    def assignment(self) -> Collection[Any]:
        """Tell the partitions that are ours; `ConsumerNotStarted` before it runs."""

    async def position(self, tp: Any) -> int | None:
        """Tell where it reads on."""


class TeachLag:
    """Compares the agent's position with the ends of the teacher requests, look after look.

    Positions, not committed offsets: a transaction leaves a marker behind its records, which is
    read but never acknowledged, so what is committed stays below the end for ever. It is what
    `stream.kafka.probe` watches.
    """

    def __init__(
        self,
        topic: str,
        *,
        consumer: Callable[[], AgentConsumer | None],
        busy: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._topic = topic
        self._consumer = consumer
        self._busy = busy
        self._standstill = Standstill(clock=clock)
        self._positions: Mapping[int, int] = {}
        self.lags: Mapping[int, int] = {}
        """Requests to read, by partition, as of the last look."""

    @property
    def standstill_s(self) -> float:
        """Seconds without a move though there were requests to read."""
        return self._standstill.seconds(lag=sum(self.lags.values()))

    def partitions(self) -> list[int]:
        """Tell which partitions are assigned to the agent."""
        consumer = self._consumer()
        try:
            return sorted(partition for _, partition in consumer.assignment()) if consumer else []
        except ConsumerNotStarted:
            return []

    def sources(self) -> list[TopicPartition]:
        """Tell the same with the topic."""
        return [TopicPartition(self._topic, partition) for partition in self.partitions()]

    async def saw_ends(self, ends: Mapping[TopicPartition, int]) -> None:
        """Take note of one look.

        An agent that is busy does not stand still, though it may read nothing more meanwhile.
        """
        positions = await self._read_up_to([at for at in self.sources() if at in ends])
        self.lags = {at.partition: max(0, ends[at] - read) for at, read in positions.items()}
        by_partition = {at.partition: read for at, read in positions.items()}
        if self._busy() or by_partition != self._positions or not any(self.lags.values()):
            self._standstill.moved()
        self._positions = by_partition

    def saw_outage(self) -> None:
        """Take note that nothing can be read now: the brokers are away."""
        self._standstill.moved()

    async def _read_up_to(self, sources: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Ask where the consumer reads on; as before when its thread does not answer."""
        consumer = self._consumer()
        if consumer is None:
            return {}
        try:
            async with asyncio.timeout(_POSITION_TIMEOUT_S):
                found = {at: await consumer.position(at) for at in sources}
        except TimeoutError:
            found = {at: self._positions.get(at.partition) for at in sources}
        except (ConsumerNotStarted, IllegalStateError):  # a rebalance came in between
            return {}
        return {at: read for at, read in found.items() if read is not None}
