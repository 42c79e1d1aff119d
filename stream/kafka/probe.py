"""Whether the brokers answer, and where partitions end: what readiness and liveness ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

log = structlog.get_logger(__name__)

_EVERY_S = 2.0
_TIMEOUT_S = 5.0


class Watched(Protocol):
    """Who reads partitions, and is told how far it has to go."""

    def sources(self) -> Sequence[TopicPartition]:
        """Tell which partitions it reads now."""

    async def saw_ends(self, ends: Mapping[TopicPartition, int]) -> None:
        """Take note of where partitions end; some of them it may no longer read."""

    def saw_outage(self) -> None:
        """Take note that the brokers are away."""


class BrokerProbe:
    """Asks where partitions end; `reachable` tells whether the brokers answered the last time.

    Who reads no partition has that of number 0 of `topic` asked about in its place.
    """

    def __init__(self, servers: str, topic: str) -> None:
        self._servers = servers
        self._topic = topic
        self.reachable = False

    async def watch(
        self,
        consumer: AIOKafkaConsumer,
        watched: Watched,
        *,
        check: Callable[[], None] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Look every other second, and tell `watched`; ends with what `check` raises."""
        while True:
            if check is not None:
                check()
            await self._look(consumer, watched)
            await sleep(_EVERY_S)

    async def _look(self, consumer: AIOKafkaConsumer, watched: Watched) -> None:
        asked = watched.sources() or [TopicPartition(self._topic, 0)]
        ends = await self._ends(consumer, asked)
        if self.reachable:
            await watched.saw_ends(ends)
        else:
            watched.saw_outage()

    async def _ends(
        self, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        """Ask once; gives nothing when no answer came in time."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                ends: Mapping[TopicPartition, int] = await consumer.end_offsets(partitions)
        except (KafkaError, OSError, TimeoutError) as error:
            self._reached(error)
            return {}
        self._reached(None)
        return ends

    def _reached(self, error: Exception | None) -> None:
        if self.reachable and error is not None:
            log.warning("broker_lost", error=repr(error))
        if not self.reachable and error is None:
            log.info("broker_reached", servers=self._servers)
        self.reachable = error is None
