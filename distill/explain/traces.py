"""What Kafka still has of one record: its text, events, request, labels, dead letter.

Its id names the place of its text; what was written for it stands in partitions that this or the
text's digest tell, and is looked for there from the text's time on (`stream.kafka.looking`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from aiokafka import ConsumerRecord
from aiokafka.partitioner import DefaultPartitioner

from schemas.errors import ConfigError, DecodeError, RecordError
from schemas.settings import Settings
from schemas.types import EntityEvent, Promotion, SilverLabel, TeacherRequest, text_digest
from schemas.wire.codec import Codec, open_codec
from schemas.wire.inputs import InputReader, framed
from schemas.wire.keyed import decode_keyed
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

    `looks` are the partitions that were looked through, by name; `timestamp_ms` is the record's
    own.
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
    looks: dict[str, Look] = field(default_factory=dict)

    async def traced(self) -> Traces:
        kafka, names, place = self.settings.kafka, TopicNames.of(self.settings.kafka), self.place
        whereabouts, record = await read_at(kafka, place.topic, place.partition, place.offset)
        text, fault = await self._text(record)
        since_ms = record.timestamp - _SLACK_MS if record else 0
        events = await self._of_it(EntityEvent, names.entities, since_ms)
        requests: list[TeacherRequest] = []
        if not _settled_at_once(events):
            requests = await self._of_it(TeacherRequest, names.teacher_requests, since_ms)
        found = Traces(
            record_id=self.record_id,
            place=place,
            whereabouts=whereabouts,
            history=await read_history(kafka, names.promotions, self.codec, self.task),
            text=requests[-1].text if text is None and requests else text,
            fault=fault,
            timestamp_ms=record.timestamp if record else None,
            events=tuple(sorted(events, key=lambda event: event.revision)),
            requests=tuple(requests),
            letters=() if events else await self._letters(since_ms),
            looks=self.looks,
        )
        return replace(found, labels=await self._labels(found.digest, since_ms))

    async def _of_it(self, kind: type[T], topic: str, since_ms: int) -> list[T]:
        """Find what was written to the source's partition for the record."""
        seen = await self._seen(topic, self.place.partition, self._is_ours, since_ms)
        return await self._decoded(kind, seen.found)

    async def _letters(self, since_ms: int) -> tuple[dict[str, str], ...]:
        """Find its dead letters, whose partition is the source's, modulo what there are."""
        topic = TopicNames.of(self.settings.kafka).dead_letters
        at = self.place.partition % len(await end_offsets(self.settings.kafka, topic))
        seen = await self._seen(topic, at, self._is_letter, since_ms)
        return tuple(_letter(record) for record in seen.found)

    async def _seen(
        self,
        topic: str,
        at: int,
        wanted: Callable[[ConsumerRecord], bool],
        since_ms: int,
        *,
        before_too: bool = False,
    ) -> Look:
        kafka, most = self.settings.kafka, self.most
        seen = await look(
            kafka, topic, at, wanted, since_ms=since_ms, most=most, before_too=before_too
        )
        self.looks[f"{topic}-{at}"] = seen
        return seen

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

    async def _labels(self, digest: str | None, since_ms: int) -> tuple[SilverLabel, ...]:
        """Find the text's labels: each key's own partition, the newest of a key last."""
        if digest is None:
            return ()
        topic = TopicNames.of(self.settings.kafka).silver_labels
        partitions = sorted(await end_offsets(self.settings.kafka, topic))
        keys_at: dict[int, set[bytes]] = {}
        for key in label_keys(self.task, digest):
            # As the producer of whoever writes labels chooses it.
            keys_at.setdefault(DefaultPartitioner()(key, partitions, partitions), set()).add(key)
        labels: list[SilverLabel] = []
        for at, keys in keys_at.items():
            # A person may have labelled the text before the stream had it, and that stands.
            wanted = partial(_has_key, keys)
            seen = await self._seen(topic, at, wanted, since_ms, before_too=True)
            labels += await self._labels_of(keys, seen)
        return tuple(labels)

    async def _labels_of(self, keys: set[bytes], seen: Look) -> list[SilverLabel]:
        """Read each key's labels: what stands before a null was forgotten."""
        found: list[SilverLabel] = []
        await self.codec.resolve(record.value for record in seen.found)
        for key in keys:
            of_key = [record for record in seen.found if record.key == key]
            ends = [n for n, record in enumerate(of_key) if record.value is None]
            for record in of_key[ends[-1] + 1 if ends else 0 :]:
                with suppress(DecodeError):
                    found.append(decode_keyed(self.codec, SilverLabel, key, record.value))
        return found

    async def _decoded(self, kind: type[T], records: Sequence[ConsumerRecord]) -> list[T]:
        """Decode what can be; lanes and rounds report the rest."""
        found: list[T] = []
        await self.codec.resolve(record.value for record in records)
        for record in records:
            with suppress(DecodeError):
                found.append(self.codec.decode(kind, record.value or b""))
        return found

    def _is_ours(self, record: ConsumerRecord) -> bool:
        headers = dict(record.headers)
        subject, source = headers.get("ce_subject"), headers.get("ce_source")
        return (
            subject == self.record_id.encode() and source == f"/silverstream/{self.task}".encode()
        )

    def _is_letter(self, record: ConsumerRecord) -> bool:
        return dict(record.headers).get(ORIGIN) == self.record_id.encode()


def _has_key(keys: set[bytes], record: ConsumerRecord) -> bool:
    return record.key in keys


def _settled_at_once(events: Sequence[EntityEvent]) -> bool:
    """Whether the student settled the record alone, so that nobody was ever asked."""
    return any(event.revision == 1 and event.status == "final" for event in events)


def _letter(record: ConsumerRecord) -> dict[str, str]:
    """Give what a dead letter's headers say, which never quote the text."""
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
    names = {"code": "stage", "message": "exception.message", "at_ms": "timestamp"}
    return {name: headers.get(PREFIX + key, "") for name, key in names.items()}
