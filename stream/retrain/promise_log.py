"""What the keeper of the promise reads and writes, on Kafka; each call connects and disconnects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog
from aiokafka import ConsumerRecord

from schemas.clocks import now_ms
from schemas.errors import DecodeError
from schemas.files.task import Task
from schemas.settings import Settings
from schemas.types import Promise, Promotion, SilverLabel
from schemas.wire.codec import Codec
from schemas.wire.keyed import decode_keyed
from schemas.wire.topics import TopicNames
from stream.kafka.promises import publish_promises
from stream.kafka.promotions import append_promotion, at_believed_times, read_history
from stream.kafka.topic_logs import read_since

_log = structlog.get_logger(__name__)

_MOST = 20_000
"""Labels of a partition that are read at a time: the first looks may have years to read."""


class KafkaPromiseLog:
    """The logs of one task. Labels are read from where the last call ended."""

    def __init__(
        self,
        settings: Settings,
        task: Task,
        codec: Codec,
        *,
        now_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._settings, self._task, self._codec = settings, task, codec
        self._now_ms = now_ms
        self._names = TopicNames.of(settings.kafka)
        self._offsets: dict[int, int] = {}

    async def history(self) -> list[Promotion]:
        """Read the promotions topic to its end."""
        topic = self._names.promotions
        history = await read_history(self._settings.kafka, topic, self._codec, self._task.name)
        return at_believed_times(history, now_ms=self._now_ms())

    async def new_audits(self) -> list[SilverLabel]:
        """Read on in the silver-labels topic; give the audits of the stream by today's task."""
        return [label for label in await self._new_labels() if self._is_audit(label)]

    async def all_audits(self) -> list[SilverLabel]:
        """Read on to the end of the topic."""
        found: list[SilverLabel] = []
        before: dict[int, int] | None = None
        while before != self._offsets:
            before = self._offsets
            found += await self.new_audits()
        return found

    async def record(self, promotion: Promotion) -> None:
        """Append to the promotions topic."""
        topic = self._names.promotions
        await append_promotion(self._settings.kafka, topic, self._codec, promotion)

    async def publish(self, promises: Sequence[Promise]) -> None:
        """Write to the promises topic what it does not say yet."""
        await publish_promises(self._settings.kafka, self._names, self._codec, promises)

    async def _new_labels(self) -> list[SilverLabel]:
        records, offsets = await read_since(
            self._settings.kafka, self._names.silver_labels, self._offsets, most=_MOST
        )
        labels = [await self._label(record) for record in records]
        self._offsets = offsets
        return [label for label in labels if label is not None]

    async def _label(self, record: ConsumerRecord) -> SilverLabel | None:
        if record.value is None or not (record.key or b"").startswith(
            f"{self._task.name}:".encode()
        ):
            return None
        try:
            await self._codec.resolve([record.value])
            label = decode_keyed(self._codec, SilverLabel, record.key, record.value)
        except DecodeError as error:
            # The round that reads them all says so too, and where it is.
            _log.debug("label_unreadable", offset=record.offset, error=str(error))
            return None
        # It is read as it comes: what a clock that is ahead dates later is of now.
        return replace(label, labelled_at_ms=min(label.labelled_at_ms, self._now_ms()))

    def _is_audit(self, label: SilverLabel) -> bool:
        """Whether it is of the stream, drawn at random, and by today's task."""
        ours = label.task == self._task.name and label.task_digest == self._task.digest
        return ours and label.audit and bool(label.record_id)
