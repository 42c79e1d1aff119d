"""What Kafka still has of one record: its text, events, request, labels, dead letter.

Its id names the place of its text; what was written for it stands in partitions that this or the
text's digest tell, and is looked for there from the text's time on (`stream.kafka.looking`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from aiokafka import ConsumerRecord
from aiokafka.partitioner import DefaultPartitioner

from schemas.errors import ConfigError, DecodeError, RecordError
from schemas.settings import Settings
from schemas.types import EntityEvent, Promotion, SilverLabel, TeacherRequest, text_digest
from schemas.wire.codec import Codec, open_codec
from schemas.wire.inputs import InputReader, framed
from schemas.wire.record_ids import Place, label_keys, place_of
from schemas.wire.topics import TopicNames
from stream.kafka.dead_letters import ORIGIN, PREFIX
from stream.kafka.looking import Look, Whereabouts, look, read_at
from stream.kafka.promotions import read_history
from stream.kafka.topic_logs import end_offsets

T = TypeVar("T")

_SLACK_MS = 60_000
"""Producers' and brokers' clocks may be apart by this much."""


@dataclass(frozen=True, slots=True)
class Traces:
    """What there is of a record. `text` is None where none can be read, `fault` then says why.

    `looks` are the topics that were looked through, in partitions that were told; `timestamp_ms` is
    the record's own.
    """

    record_id: str
    place: Place
    whereabouts: Whereabouts
    history: Sequence[Promotion]
    text: str | None = None
    fault: str = ""
    timestamp_ms: int | None = None
    events: tuple[EntityEvent, ...] = ()
    requests: tuple[TeacherRequest, ...] = ()
    labels: tuple[SilverLabel, ...] = ()
    letters: tuple[dict[str, str], ...] = ()
    looks: dict[str, Look] = field(default_factory=dict)

    @property
    def digest(self) -> str | None:
        """The SHA-256 of the text, which events have though the text is gone."""
        if self.text is not None:
            return text_digest(self.text)
        return next((event.text_digest for event in self.events), None)


def placed(record_id: str, settings: Settings) -> Place:
    """Give the place of the record; `ConfigError` for what is no id of the text topic."""
    place = place_of(record_id)
    topic = settings.kafka.text_topic
    if place is None:
        raise ConfigError(
            f"{record_id}: not a record id, which is TOPIC-PARTITION-OFFSET, as in {topic}-0-17"
        )
    if place.topic != topic:
        raise ConfigError(
            f"{record_id}: a record of the topic {place.topic}, but kafka.text_topic is {topic}: "
            "pass the settings of the installation that tagged it"
        )
    return place


async def traced(settings: Settings, task: str, record_id: str, *, most: int) -> Traces:
    """Read what there is of the record, about `most` records of each topic at most.

    Raises `ConfigError` for what is no record id, `TopicError` for topics that are missing,
    `BrokerUnavailableError`.
    """
    place = placed(record_id, settings)
    async with open_codec(settings.schema_registry) as codec:
        return await _Tracer(settings, task, codec, record_id, place, most).traced()


@dataclass(frozen=True, slots=True)
class _Tracer:
    settings: Settings
    task: str
    codec: Codec
    record_id: str
    place: Place
    most: int

    async def traced(self) -> Traces:
        kafka, names, place = self.settings.kafka, TopicNames.of(self.settings.kafka), self.place
        whereabouts, record = await read_at(kafka, place.topic, place.partition, place.offset)
        text, fault = await self._text(record)
        since_ms = record.timestamp - _SLACK_MS if record else 0
        looks: dict[str, Look] = {}

        async def found(topic: str, wanted: Callable[[ConsumerRecord], bool], at: int) -> Look:
            looks[topic] = await look(kafka, topic, at, wanted, since_ms=since_ms, most=self.most)
            return looks[topic]

        of_it = await found(names.entities, self._is_ours, place.partition)
        events = await self._decoded(EntityEvent, of_it)
        asked = await found(names.teacher_requests, self._is_ours, place.partition)
        requests = await self._decoded(TeacherRequest, asked)
        if text is None and requests:
            text = requests[-1].text
        digest = text_digest(text) if text is not None else None
        digest = digest or next((event.text_digest for event in events), None)
        labels = await self._labels(digest, since_ms, looks) if digest else []
        letters: Sequence[ConsumerRecord] = ()
        if not events:
            n = len(await end_offsets(kafka, names.dead_letters))
            buried = await found(names.dead_letters, self._is_letter, place.partition % n)
            letters = buried.found
        return Traces(
            record_id=self.record_id,
            place=place,
            whereabouts=whereabouts,
            history=await read_history(kafka, names.promotions, self.codec, self.task),
            text=text,
            fault=fault,
            timestamp_ms=record.timestamp if record else None,
            events=tuple(sorted(events, key=lambda event: event.revision)),
            requests=tuple(requests),
            labels=tuple(labels),
            letters=tuple(_letter(one) for one in letters),
            looks=looks,
        )

    async def _text(self, record: ConsumerRecord | None) -> tuple[str | None, str]:
        """Read the text as the lanes do; else say why there is none."""
        if record is None:
            return None, ""
        if self.settings.input.format == "avro" and record.value:
            await self.codec.resolve(framed(v, record.headers) for v in [record.value])
        try:
            text = InputReader(self.settings.input, self.codec).read(record.value, record.headers)
        except RecordError as error:
            return None, f"{error.code}: {error}"
        return text, "" if text is not None else "it has no value: a delete"

    async def _labels(
        self, digest: str, since_ms: int, looks: dict[str, Look]
    ) -> list[SilverLabel]:
        """Find the text's labels: each key's own partition, the newest of a key last."""
        kafka, topic = self.settings.kafka, TopicNames.of(self.settings.kafka).silver_labels
        partitions = sorted(await end_offsets(kafka, topic))
        labels: list[SilverLabel] = []
        for key in label_keys(self.task, digest):
            # As the producer of whoever writes labels chooses it.
            at = DefaultPartitioner()(key, partitions, partitions)
            seen = await look(
                kafka,
                topic,
                at,
                lambda record, key=key: record.key == key,  # type: ignore[misc] # bound at once
                since_ms=since_ms,
                most=self.most,
            )
            looks[f"{topic} ({at})"] = seen
            labels += await self._decoded(SilverLabel, seen)
        return labels

    async def _decoded(self, kind: type[T], seen: Look) -> list[T]:
        """Decode what can be; what stands behind a null was forgotten."""
        found: list[T] = []
        await self.codec.resolve(record.value for record in seen.found)
        for record in seen.found:
            if record.value is None:
                found.clear()
                continue
            try:
                found.append(self.codec.decode(kind, record.value))
            except DecodeError:
                continue
        return found

    def _is_ours(self, record: ConsumerRecord) -> bool:
        headers = dict(record.headers)
        subject, source = headers.get("ce_subject"), headers.get("ce_source")
        return (
            subject == self.record_id.encode() and source == f"/silverstream/{self.task}".encode()
        )

    def _is_letter(self, record: ConsumerRecord) -> bool:
        return dict(record.headers).get(ORIGIN) == self.record_id.encode()


def _letter(record: ConsumerRecord) -> dict[str, str]:
    """Give what a dead letter's headers say, which never quote the text."""
    headers = {name: value.decode("utf-8", "replace") for name, value in record.headers}
    names = {"code": "stage", "message": "exception.message", "at_ms": "timestamp"}
    return {name: headers.get(PREFIX + key, "") for name, key in names.items()}
