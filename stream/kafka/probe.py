"""Whether the brokers answer, as probes of readiness and liveness need to know."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

log = structlog.get_logger(__name__)

PROBE_EVERY_S = 2.0
_TIMEOUT_S = 5.0


class BrokerProbe:
    """Asks where partitions end; `reachable` tells whether the brokers answered the last time."""

    def __init__(self, servers: str) -> None:
        self._servers = servers
        self.reachable = False

    async def ends(
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
