"""What distill reads from and writes to Kafka, behind a protocol that a list can play too."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import structlog
from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError

from distill.judging.allowance import Spans
from distill.labels.quotas import StreamText
from distill.labels.standing import Entry, LabelLog
from distill.labels.table import LabelTable
from schemas.canaries.holds import Hold
from schemas.clocks import LogClock, now_ms
from schemas.consent import has_consent
from schemas.errors import DecodeError, RecordError, RetryError, TopicError
from schemas.files.task import Task
from schemas.settings import Settings
from schemas.types import Promise, Promotion, SilverLabel
from schemas.wire.codec import Codec, open_codec
from schemas.wire.inputs import InputReader, framed
from schemas.wire.keyed import decode_keyed
from schemas.wire.producers import ProducerReader
from schemas.wire.record_ids import record_id
from schemas.wire.topics import TopicNames
from stream.kafka.canaries import CanaryLog
from stream.kafka.promises import publish_promises
from stream.kafka.promotions import append_promotion, at_believed_times, read_history
from stream.kafka.topic_logs import offset_spans, read_newest, read_to_end

_log = structlog.get_logger(__name__)


class Journal(Protocol):
    """The logs that a round lives on."""

    def labels(self) -> Sequence[SilverLabel]:
        """Give the silver label of each text of the task that stands, see `standing_labels`."""
        ...

    def history(self) -> Sequence[Promotion]:
        """Give the task's promotions, oldest first."""
        ...

    def holds(self) -> Sequence[Hold]:
        """Tell which labels are held back, for the teacher had changed."""
        ...

    def record(self, promotion: Promotion) -> None:
        """Append the next promotion; `GateError` when another came first."""
        ...

    def publish(self, promises: Sequence[Promise]) -> None:
        """Say to consumers what they may rely on, as far as it is not said yet."""
        ...

    def newest_texts(self, n: int, *, since_ms: int = 0) -> list[str]:
        """Give the newest `n` texts of the stream or so, labelled or not, the newest last.

        Those from before `since_ms`, by the time of their records, are left out.
        """
        ...

    def newest_records(self, n: int, *, since_ms: int = 0) -> list[StreamText]:
        """Give the same with who sent them."""
        ...

    def text_spans(self) -> Spans:
        """Tell where each partition of the text topic begins and ends."""
        ...


class KafkaJournal:
    """The logs of one task on Kafka; each call connects and disconnects.

    A round trains for minutes between its calls, too long to keep a connection for. Raises
    `BrokerUnavailableError`.
    """

    def __init__(
        self, settings: Settings, task: Task, *, now_ms: Callable[[], int] = now_ms
    ) -> None:
        self._settings = settings
        self._now_ms = now_ms
        self._task = task.name
        self._versions = task.versions
        self._topics = TopicNames.of(settings.kafka)

    def labels(self) -> LabelTable:
        """Read the silver-labels topic to its end."""
        return asyncio.run(self.read_labels())

    def history(self) -> list[Promotion]:
        """Read the promotions topic to its end."""
        return asyncio.run(self._history())

    def holds(self) -> Sequence[Hold]:
        """Read the canaries topic to its end."""
        return asyncio.run(self._holds())

    def record(self, promotion: Promotion) -> None:
        """Append to the promotions topic."""
        asyncio.run(self._record(promotion))

    def publish(self, promises: Sequence[Promise]) -> None:
        """Write to the promises topic; where that fails, who watches the promise does it later."""
        try:
            asyncio.run(self._publish(promises))
        except (RetryError, TopicError, KafkaError) as error:
            _log.warning("promises_unpublished", error=repr(error))

    def newest_texts(self, n: int, *, since_ms: int = 0) -> list[str]:
        """Read the end of the text topic; less what is blank, no text or without consent."""
        return [one.text for one in self.newest_records(n, since_ms=since_ms)]

    def newest_records(self, n: int, *, since_ms: int = 0) -> list[StreamText]:
        """Read the same, and from header or key who sent it."""
        return asyncio.run(self._newest_records(n, since_ms=since_ms))

    def text_spans(self) -> Spans:
        """Look up the text topic's offsets; reads no record."""
        topic = self._topics.text
        return asyncio.run(offset_spans(self._settings.kafka, topic))

    async def read_labels(self) -> LabelTable:
        """Read the silver-labels topic to its end, within a running loop."""
        log, clock = LabelLog(), LogClock(self._now_ms)
        async with open_codec(self._settings.schema_registry) as codec:
            async for record in read_to_end(self._settings.kafka, self._topics.silver_labels):
                entry = await self._entry(record, codec, clock)
                if entry is not None:
                    log.append(entry)
        return log.standing(self._versions)

    async def _entry(self, record: ConsumerRecord, codec: Codec, clock: LogClock) -> Entry | None:
        """Give what a record says; None for another task's and for what cannot be read."""
        if not (record.key or b"").startswith(f"{self._task}:".encode()):
            return None
        written_ms = clock.believe(record.timestamp, partition=record.partition)
        if record.value is None:
            return Entry(record.key, None, written_ms)
        try:
            await codec.resolve([record.value])
            label = decode_keyed(codec, SilverLabel, record.key, record.value)
        except DecodeError as error:
            where = record_id(record.topic, record.partition, record.offset)
            _log.warning("label_unreadable", record=where, error=str(error))
            return None
        made_ms = clock.believe(label.labelled_at_ms, partition=record.partition)
        if written_ms > 0:  # nobody writes a label before it is made
            made_ms = min(made_ms, written_ms)
        return Entry(record.key, replace(label, labelled_at_ms=made_ms), written_ms)

    async def _newest_records(self, n: int, *, since_ms: int) -> list[StreamText]:
        read = await read_newest(self._settings.kafka, self._topics.text, n)
        records = [record for record in read if record.timestamp >= since_ms]
        texts: list[StreamText] = []
        producers = ProducerReader(self._settings.routing.quotas)
        async with open_codec(self._settings.schema_registry) as codec:
            if self._settings.input.format == "avro":
                await codec.resolve(framed(r.value, r.headers) for r in records if r.value)
            reader = InputReader(self._settings.input, codec)
            for record in sorted(records, key=lambda record: record.timestamp):
                if not self._may_be_asked(record):
                    continue
                with contextlib.suppress(RecordError):  # the lane's to report
                    text = reader.read(record.value, record.headers) or ""
                    texts.append(StreamText(text, producers.read(record.key, record.headers)))
        return [one for one in texts if one.text.strip()]

    def _may_be_asked(self, record: ConsumerRecord) -> bool:
        headers = tuple(record.headers)
        return has_consent(self._settings.teacher, topic=record.topic, headers=headers)

    async def _history(self) -> list[Promotion]:
        async with open_codec(self._settings.schema_registry) as codec:
            history = await read_history(
                self._settings.kafka, self._topics.promotions, codec, self._task
            )
        return at_believed_times(history, now_ms=self._now_ms())

    async def _holds(self) -> Sequence[Hold]:
        async with open_codec(self._settings.schema_registry) as codec:
            log = CanaryLog(self._settings.kafka, self._task, codec, now_ms=self._now_ms)
            return await log.holds()

    async def _record(self, promotion: Promotion) -> None:
        async with open_codec(self._settings.schema_registry) as codec:
            await append_promotion(self._settings.kafka, self._topics.promotions, codec, promotion)

    async def _publish(self, promises: Sequence[Promise]) -> None:
        async with open_codec(self._settings.schema_registry) as codec:
            await publish_promises(self._settings.kafka, self._topics, codec, promises)
