"""Room in the outputs that are written beside their source: widened when it has more partitions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from schemas.settings import KafkaSettings
from stream.kafka.topics import TopicSpec, partition_counts, widen_topics

log = structlog.get_logger(__name__)


class Room:
    """Widens `outputs` to what the text topic has, as soon as somebody needs a partition.

    What was seen is remembered, so that most calls ask nobody.
    """

    def __init__(self, settings: KafkaSettings, outputs: Sequence[str]) -> None:
        self.outputs = [*outputs]
        self._settings = settings
        self._specs = [
            TopicSpec(name, partitions=1, replication=1, like=settings.text_topic)
            for name in outputs
        ]
        self._width = 0
        self._widening = asyncio.Lock()

    def saw(self, present: Mapping[str, int]) -> None:
        """Take note of how many partitions topics have."""
        self._width = min((present[name] for name in self.outputs), default=0)

    async def make(self, partition: int) -> None:
        """Let every output have this partition, which the source has; see `find` for the errors."""
        await self.find(partition, sure=partition)

    async def find(self, partition: int, *, sure: int) -> bool:
        """Whether every output has a partition that somebody names, once they are widened.

        They are widened to what the text topic has, and so far that they have the partition
        `sure`: that may be known here before every broker knows it. No further, since the name may
        be wrong, and Kafka takes no partition away. Raises what `widen_topics` does.
        """
        async with self._widening:
            if self.outputs and not 0 <= partition < self._width:
                await self._widen(sure)
            return not self.outputs or 0 <= partition < self._width

    async def _widen(self, sure: int) -> None:
        widened = await widen_topics(self._settings, self._specs, at_least=sure + 1)
        if widened:
            log.warning("topics_widened", topics=widened, partition=sure)
        self.saw(await partition_counts(self._settings, self.outputs))
