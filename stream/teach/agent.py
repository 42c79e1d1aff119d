"""The teach role: each deferred record is asked about, corrected, and becomes a silver label.

The agent is Faust's, because asking is slow, I/O-bound and idempotent by key.
It never lets Faust acknowledge for it: a batch is acknowledged, in order, when
every delivery of it has been confirmed. A batch that cannot be delivered ends
the process, for an agent that is started again would go on behind that batch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from aiokafka import ConsumerRecord

from schemas.errors import (
    AnswerError,
    DecodeError,
    ExpiredError,
    OutputTooLargeError,
    TeacherUnavailableError,
)
from schemas.types import EntityEvent, SilverLabel, TeacherRequest
from schemas.wire.codec import Codec
from schemas.wire.events import corrected, uncorrected
from schemas.wire.headers import event_headers
from schemas.wire.labels import teacher_label
from schemas.wire.topics import TopicNames, record_id, silver_key
from stream.kafka.dead_letters import dead_letter, without_value
from stream.kafka.messages import Outgoing
from stream.kafka.resolving import resolve_patiently
from stream.teacher.protocol import Teacher
from stream.watch.metrics import Metrics

_log = structlog.get_logger()

_FILL_S = 0.1
"""How long a batch waits for more requests; an answer takes longer than this."""
_BATCH_PER_CALL = 4
"""Requests of a batch for each that may be under way: the slowest holds up fewer."""
TEACHER_FAILED = "teacher_failed"
"""Reason of a correction that is missing through a fault of ours; the log has the traceback."""


async def answer_request(
    request: TeacherRequest, teacher: Teacher, *, task_digest: str, now_ms: Callable[[], int]
) -> tuple[EntityEvent, SilverLabel | None]:
    """Ask the teacher; return the final revision 2 and, with a grounded answer, its label.

    Without an answer (refused, invalid, over budget, out of retries, expired
    before it was asked or while the teacher was busy) the event keeps the student's
    entities and says why. `task_digest` is that of the task the teacher answers by.
    """
    try:
        if now_ms() >= request.expires_at_ms:
            raise ExpiredError(f"{request.record_id} waited too long for the teacher")
        answer = await teacher.label(request.text, expires_at_ms=request.expires_at_ms)
    except (AnswerError, TeacherUnavailableError) as error:
        return uncorrected(request, reason=error.code, now_ms=now_ms()), None
    event = corrected(request, answer, task_digest=task_digest, now_ms=now_ms())
    return event, teacher_label(request, answer, task_digest=task_digest, now_ms=now_ms())


class Deliver(Protocol):
    """Produces one record and returns when the brokers have it."""

    async def __call__(self, outgoing: Outgoing, /, *, beside: int | None) -> None:
        """Write to the partition `beside`, or to the one its key chooses.

        `OutputTooLargeError` when the brokers refuse this very record; else raise if impossible.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """From the bytes of a request to what has been delivered for it."""

    app: str
    task: str
    task_digest: str
    names: TopicNames
    codec: Codec
    teacher: Teacher
    deliver: Deliver
    metrics: Metrics
    now_ms: Callable[[], int]

    async def __call__(self, record: ConsumerRecord[bytes, bytes]) -> None:
        """Answer one request; raises only when something cannot be delivered."""
        await resolve_patiently(self.codec, [record.value])
        try:
            request = self.codec.decode(TeacherRequest, record.value or b"")
        except DecodeError as error:
            await self._bury(record, error)
            return
        if request.task != self.task:
            return  # the topic is shared with another task, whose teacher answers it
        event, label = await self._answer(request)
        # The label first: should we die in between, the request is answered again.
        if label is not None:
            await self._deliver_label(label)
        try:
            await self._deliver_event(event, request)
        except OutputTooLargeError as error:
            kept = uncorrected(request, reason=error.code, now_ms=self.now_ms())
            await self._deliver_event(kept, request)

    async def _answer(self, request: TeacherRequest) -> tuple[EntityEvent, SilverLabel | None]:
        started = time.perf_counter()
        try:
            return await answer_request(
                request, self.teacher, task_digest=self.task_digest, now_ms=self.now_ms
            )
        except Exception:  # noqa: BLE001 - logged, and said in the event's reason
            # A fault of ours in one answer must not keep the others from theirs.
            _log.exception("teach_failed", record_id=request.record_id)
            return uncorrected(request, reason=TEACHER_FAILED, now_ms=self.now_ms()), None
        finally:
            self.metrics.request_seconds.observe(time.perf_counter() - started)

    async def _deliver_label(self, label: SilverLabel) -> None:
        topic = self.names.silver_labels
        value = self.codec.encode(label, topic)
        key = silver_key(label.task, label.text)
        # The key chooses: compaction keeps one label per key and partition.
        try:
            await self.deliver(Outgoing(topic, value, key=key), beside=None)
        except OutputTooLargeError as error:
            _log.warning("label_dropped", record_id=label.record_id, error=str(error))
        else:
            self.metrics.labels.inc()

    async def _deliver_event(self, event: EntityEvent, request: TeacherRequest) -> None:
        topic = self.names.entities
        outgoing = Outgoing(
            topic,
            self.codec.encode(event, topic),
            key=request.key,
            headers=tuple(event_headers(event, request.headers)),
        )
        await self.deliver(outgoing, beside=request.source_partition)
        answered = event.decided_by == "teacher"
        self.metrics.requests.labels("answered" if answered else event.reason).inc()
        self.metrics.events.labels(event.decided_by, event.reason).inc()
        _log.info(
            "taught",
            record_id=event.record_id,
            decided_by=event.decided_by,
            reason=event.reason,
            teacher=event.teacher_model,
            prompt=event.prompt_version,
        )

    async def _bury(self, record: ConsumerRecord[bytes, bytes], error: DecodeError) -> None:
        topic = self.names.dead_letters
        letter = dead_letter(record, error, topic=topic, app=self.app)
        try:
            await self.deliver(letter, beside=record.partition)
        except OutputTooLargeError:
            await self.deliver(without_value(letter), beside=record.partition)
        self.metrics.dead_letters.labels(error.code).inc()
        where = record_id(record.topic, record.partition, record.offset)
        _log.warning("dead_lettered", record_id=where, code=error.code)


class Progress:
    """What probes and the drain ask of the agent."""

    def __init__(self) -> None:
        self.idle = asyncio.Event()
        self.idle.set()
        self.delivering = True
        self._since_s = 0.0

    def busy_s(self, now_s: float) -> float:
        """Seconds that the batch under way has taken; 0 without one. `now_s` is monotonic."""
        return 0.0 if self.idle.is_set() else now_s - self._since_s

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Mark a batch as under way."""
        self._since_s = time.monotonic()
        self.idle.clear()
        try:
            yield
        finally:
            self.idle.set()


async def teach_agent(
    stream: Any,
    answer: Callable[[ConsumerRecord[bytes, bytes]], Awaitable[None]],
    *,
    concurrency: int,
    progress: Progress,
    should_stop: Callable[[], bool],
    halt: Callable[[BaseException], None],
) -> None:
    """Run a Faust agent over the teacher requests.

    `answer` returns when all results of a request are delivered. Where it raises,
    `halt` is told, and the agent waits for the end of the process with its batch
    unacknowledged. Once `should_stop`, it takes no further batch.
    """
    batches: AsyncIterable[Sequence[Any]] = stream.noack().noack_take(
        concurrency * _BATCH_PER_CALL, within=_FILL_S
    )
    async for events in batches:
        if should_stop():
            await _for_ever()
        with progress.batch():
            delivered = await _answered(events, answer, halt)
            for event in events if delivered else ():
                await stream.ack(event)
        if not delivered:
            # Faust would start an agent that ends again, behind this batch.
            await _for_ever()


async def _answered(
    events: Sequence[Any],
    answer: Callable[[ConsumerRecord[bytes, bytes]], Awaitable[None]],
    halt: Callable[[BaseException], None],
) -> bool:
    try:
        await asyncio.gather(*(answer(as_record(event.message)) for event in events))
    except Exception as error:  # noqa: BLE001 - whatever it was, the process ends with it
        _log.exception("teach_undeliverable", requests=len(events))
        halt(error)
        return False
    return True


async def _for_ever() -> None:
    await asyncio.Event().wait()


def as_record(message: Any) -> ConsumerRecord[bytes, bytes]:
    """Turn Faust's message back into aiokafka's: Faust counts its time in seconds."""
    return ConsumerRecord(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        timestamp=round(message.timestamp * 1000),
        timestamp_type=message.timestamp_type,
        key=message.key,
        value=message.value,
        checksum=message.checksum,
        serialized_key_size=message.serialized_key_size,
        serialized_value_size=message.serialized_value_size,
        headers=tuple(message.headers or ()),
    )
