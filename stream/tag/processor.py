"""What a lane does with a batch: read, tag, route, and say what is to be produced.

Pure but for the two things it is given: `tag`, which runs the student, and the
clock. One processor serves one input partition; it sees the records in order
and holds that partition's router, so its budget starts empty with it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

import structlog
from aiokafka import ConsumerRecord

from schemas.consent import has_consent
from schemas.errors import RecordError, TaggingError
from schemas.promises.trust import untrusted_confidence
from schemas.settings import TeacherSettings
from schemas.types import Headers, Tagging, TeacherRequest, text_digest
from schemas.wire.codec import Codec
from schemas.wire.events import first_revision
from schemas.wire.headers import event_headers, request_headers
from schemas.wire.inputs import InputReader, framed
from schemas.wire.producers import UNKNOWN, ProducerReader
from schemas.wire.record_ids import record_id
from schemas.wire.topics import TopicNames
from stream.kafka.messages import Failed, Outgoing
from stream.tag.batcher import Serving, Tagged
from stream.tag.routing import Decision, Router
from stream.watch.metrics import Metrics

_log = structlog.get_logger()

BLANK = "blank"
"""Reason of a final event without entities: there was nothing to tag or to ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What every partition's processor shares. `now_ms` is the time since the epoch."""

    task: str
    names: TopicNames
    reader: InputReader
    codec: Codec
    tag: Callable[[Sequence[str]], Awaitable[Tagged]]
    metrics: Metrics
    request_ttl_ms: int
    now_ms: Callable[[], int]
    resolve_schemas: bool
    teacher: TeacherSettings
    """Says who has to agree that the teacher may see a record."""
    producers: ProducerReader = UNKNOWN


@dataclass(frozen=True, slots=True)
class _Record:
    """An input record and what was read from it."""

    id: str
    source: ConsumerRecord[bytes, bytes]
    text: str
    digest: str
    headers: Headers


@dataclass(frozen=True, slots=True)
class _Batch:
    """What the records of one batch share."""

    serving: Serving
    taggings: Iterator[Tagging | TaggingError]
    now_ms: int
    decisions: list[Decision]
    reasons: Counter[str]


class TaggingProcessor:
    """A `stream.kafka.messages.Processor`: one result per record, in the records' order."""

    def __init__(self, tools: Tools, *, router: Router) -> None:
        self._tools = tools
        self._router = router

    async def __call__(
        self, records: Sequence[ConsumerRecord[bytes, bytes]]
    ) -> Sequence[Sequence[Outgoing] | Failed]:
        """Turn input records into entity events and teacher requests.

        A record that cannot be read or tagged gives `Failed`, for itself alone; a delete gives
        nothing.
        """
        tools = self._tools
        if tools.resolve_schemas:
            await tools.codec.resolve(framed(r.value, r.headers) for r in records if r.value)
        read = [self._read(record) for record in records]
        tagged = await self._tag([x.text for x in read if isinstance(x, _Record)])
        batch = _Batch(tagged.serving, iter(tagged.taggings), tools.now_ms(), [], Counter())
        results = [self._result(record, batch) for record in read]
        _report(batch, tools.metrics)
        return results

    def _read(self, record: ConsumerRecord[bytes, bytes]) -> _Record | Failed | None:
        try:
            text = self._tools.reader.read(record.value, record.headers)
        except RecordError as error:
            return Failed(error)
        if text is None:
            return None
        return _Record(
            id=record_id(record.topic, record.partition, record.offset),
            source=record,
            text=text,
            digest=text_digest(text),
            headers=tuple((name, value or b"") for name, value in record.headers),
        )

    async def _tag(self, texts: Sequence[str]) -> Tagged:
        started = time.perf_counter()
        tagged = await self._tools.tag(texts)
        self._tools.metrics.tagging_seconds.observe(time.perf_counter() - started)
        return tagged

    def _result(
        self, record: _Record | Failed | None, batch: _Batch
    ) -> Sequence[Outgoing] | Failed:
        if record is None:
            return ()
        if isinstance(record, Failed):
            return record
        tagging = next(batch.taggings)
        if isinstance(tagging, TaggingError):
            return Failed(tagging)
        if not record.text.strip():
            return [self._event(record, tagging, batch, BLANK, deferred=False)]
        return self._routed(record, tagging, batch)

    def _routed(self, record: _Record, tagging: Tagging, batch: _Batch) -> list[Outgoing]:
        policy, labels = batch.serving.policy, batch.serving.student.manifest.labels
        decision = self._router.decide(
            tagging.confidence,
            record.digest,
            policy,
            untrusted=untrusted_confidence(tagging, labels, policy.trusted),
            text=record.text,
            producer=self._tools.producers.read(record.source.key, record.headers),
            may_ask=has_consent(
                self._tools.teacher, topic=record.source.topic, headers=record.headers
            ),
        )
        batch.decisions.append(decision)
        event = self._event(record, tagging, batch, decision.reason, deferred=decision.granted)
        if not decision.granted:
            return [event]
        _log.info(
            "deferred",
            record_id=record.id,
            reason=decision.reason,
            confidence=round(tagging.confidence, 4),
            student=batch.serving.student.version,
        )
        return [event, self._request(record, tagging, batch, decision)]

    def _event(
        self, record: _Record, tagging: Tagging, batch: _Batch, reason: str, *, deferred: bool
    ) -> Outgoing:
        batch.reasons[reason] += 1
        tools, student = self._tools, batch.serving.student
        event = first_revision(
            tagging,
            task=tools.task,
            task_digest=student.manifest.task_digest,
            record_id=record.id,
            digest=record.digest,
            reason=reason,
            deferred=deferred,
            student_version=student.version,
            policy_version=batch.serving.policy_digest,
            source_timestamp_ms=record.source.timestamp,
            now_ms=batch.now_ms,
        )
        topic = tools.names.entities
        value = tools.codec.encode(event, topic)
        headers = tuple(event_headers(event, record.headers))
        return _beside(record.source, topic, value, headers)

    def _request(
        self, record: _Record, tagging: Tagging, batch: _Batch, decision: Decision
    ) -> Outgoing:
        tools, student, source = self._tools, batch.serving.student, record.source
        request = TeacherRequest(
            task=tools.task,
            task_digest=student.manifest.task_digest,
            record_id=record.id,
            source_topic=source.topic,
            source_partition=source.partition,
            key=source.key,
            headers=record.headers,
            source_timestamp_ms=source.timestamp,
            text=record.text,
            entities=tagging.entities,
            categories=tagging.categories,
            confidence=tagging.confidence,
            reason=decision.reason,
            audit=decision.audit,
            student_version=student.version,
            policy_version=batch.serving.policy_digest,
            requested_at_ms=batch.now_ms,
            expires_at_ms=batch.now_ms + tools.request_ttl_ms,
            doubts=() if decision.audit else tagging.doubts,
        )
        topic = tools.names.teacher_requests
        value = tools.codec.encode(request, topic)
        headers = tuple(request_headers(request))
        return _beside(source, topic, value, headers)


def _beside(
    source: ConsumerRecord[bytes, bytes], topic: str, value: bytes, headers: Headers
) -> Outgoing:
    """To the source's own partition: order holds for keyless input too."""
    return Outgoing(topic, value, key=source.key, partition=source.partition, headers=headers)


def _report(batch: _Batch, metrics: Metrics) -> None:
    decisions = batch.decisions
    metrics.routed(
        records=len(decisions),
        wanted=sum(decision.wanted for decision in decisions),
        granted=sum(decision.granted for decision in decisions),
        audits=sum(decision.audit for decision in decisions),
    )
    for reason, count in batch.reasons.items():
        metrics.events.labels("student", reason).inc(count)
