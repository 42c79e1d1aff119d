"""From the bytes of a request to what is delivered for it: a correction and a silver label."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from aiokafka import ConsumerRecord

from schemas.errors import (
    AnswerError,
    DecodeError,
    ExpiredError,
    HaltError,
    InvalidAnswerError,
    NoConsentError,
    OutputTooLargeError,
    RefusedError,
    TeacherUnavailableError,
)
from schemas.retry import Backoff
from schemas.types import EntityEvent, Opinion, SilverLabel, TeacherRequest
from schemas.wire.codec import Codec
from schemas.wire.events import corrected, corrected_by_both, uncorrected
from schemas.wire.headers import event_headers
from schemas.wire.labels import teacher_label
from schemas.wire.producers import UNKNOWN, ProducerReader
from schemas.wire.record_ids import label_key
from schemas.wire.topics import TopicNames
from stream.kafka.dead_letters import DeadLetters, bury
from stream.kafka.messages import Deliver, Outgoing
from stream.kafka.resolving import BACKOFF, resolve_patiently
from stream.kafka.signatures import Signatures
from stream.teach.doubts import joined, unsure_of, with_students_confidence
from stream.teach.refused_share import RefusedShare
from stream.teacher.merging import Merged
from stream.teacher.protocol import Answer, Teacher, Unsure
from stream.teacher.teachers import Teachers
from stream.watch.metrics import Metrics

_log = structlog.get_logger()

TEACHER_FAILED = "teacher_failed"
"""Reason of a correction that is missing through a fault of ours; the log has the traceback."""

Merge = Callable[[TeacherRequest, Answer], Merged | None]
"""Makes a correction of what student and teacher say; None where the teacher's answer stands."""


class AskUnsure(Protocol):
    """Asks about what a student is unsure of alone; see `OpenAITeacher.label_unsure`."""

    async def __call__(
        self, text: str, unsure: Unsure, /, *, expires_at_ms: int | None = None
    ) -> Answer:
        """Ask."""
        ...


class AskAlone(Protocol):
    """Asks about a text in a call of its own; see `OpenAITeacher.label_alone`."""

    async def __call__(self, text: str, /, *, expires_at_ms: int | None = None) -> Answer:
        """Ask."""
        ...


MayAsk = Callable[[TeacherRequest], bool]
"""Says whether the teacher may see the record, see `schemas.consent`."""

_REFUSED = frozenset({RefusedError.code, InvalidAnswerError.code})


def teacher_wins(_request: TeacherRequest, _answer: Answer) -> None:
    """Take every answer as it is."""


def asks_all(_request: TeacherRequest) -> bool:
    """Ask about every record."""
    return True


async def answer_request(
    request: TeacherRequest,
    teacher: Teacher,
    *,
    task_digest: str,
    now_ms: Callable[[], int],
    merge: Merge = teacher_wins,
    producers: ProducerReader = UNKNOWN,
    may_ask: MayAsk = asks_all,
    ask_unsure: AskUnsure | None = None,
    ask_audit: AskAlone | None = None,
) -> tuple[EntityEvent, SilverLabel | None]:
    """Ask the teacher; return the final revision 2 and, with a grounded answer, its label.

    The event is the answer, or what `merge` makes of it; the label is the answer alone, for a
    student must not learn from itself. Without an answer (refused, invalid, over budget, out of
    retries, expired before it was asked or while the teacher was busy, nobody agreed that it may be
    asked, personal data could not be taken out) the event keeps the
    student's entities and says why. `task_digest` is that of the task the teacher answers by.

    `ask_unsure` asks in the teacher's place about what the student is unsure of alone, where that
    can be (`stream.teach.doubts`): what it is sure of is then part of event and label.
    `ask_audit` asks in its place about audits.
    """
    try:
        if now_ms() >= request.expires_at_ms:
            raise ExpiredError(f"{request.record_id} waited too long for the teacher")
        if not may_ask(request):
            raise NoConsentError(f"{request.record_id} has no consent that the teacher sees it")
        unsure = unsure_of(request, task_digest=task_digest)
        answer, opinions = await _asked(request, teacher, unsure, ask_unsure, ask_audit)
    except (AnswerError, TeacherUnavailableError) as error:
        _log.warning(
            "answer_refused", record_id=request.record_id, code=error.code, reason=str(error)
        )
        return uncorrected(request, reason=error.code, now_ms=now_ms()), None
    answer = with_students_confidence(request, answer)
    event = _correction(request, answer, merge, task_digest=task_digest, now_ms=now_ms())
    label = teacher_label(
        request,
        answer,
        task_digest=task_digest,
        now_ms=now_ms(),
        producer=producers.read(request.key, request.headers),
        opinions=opinions,
    )
    return event, label


async def _asked(
    request: TeacherRequest,
    teacher: Teacher,
    unsure: Unsure | None,
    ask_unsure: AskUnsure | None,
    ask_audit: AskAlone | None,
) -> tuple[Answer, tuple[Opinion, ...]]:
    text, expires_at_ms = request.text, request.expires_at_ms
    if isinstance(teacher, Teachers):
        return await teacher.answer(request, unsure)
    if request.audit and ask_audit is not None:
        return await ask_audit(text, expires_at_ms=expires_at_ms), ()
    if ask_unsure is None or unsure is None:
        return await teacher.label(text, expires_at_ms=expires_at_ms), ()
    return await ask_unsure(text, unsure, expires_at_ms=expires_at_ms), ()


def _correction(
    request: TeacherRequest, answer: Answer, merge: Merge, *, task_digest: str, now_ms: int
) -> EntityEvent:
    # Of another task version: the student may know other labels than the teacher was asked for.
    both = merge(request, answer) if request.task_digest == task_digest else None
    both = both or joined(answer)
    if both is None:
        return corrected(request, answer, task_digest=task_digest, now_ms=now_ms)
    return corrected_by_both(
        request,
        answer,
        both,
        confidence=both.confidence,
        task_digest=task_digest,
        now_ms=now_ms,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """From the bytes of a request to what has been delivered for it.

    `has_room` makes room for the correction and tells whether there is the partition that a
    request names, given the request's own; see `stream.kafka.room.Room.find`.
    """

    task: str
    task_digest: str
    names: TopicNames
    letters: DeadLetters
    codec: Codec
    teacher: Teacher
    deliver: Deliver
    has_room: Callable[[int, int], Awaitable[bool]]
    metrics: Metrics
    now_ms: Callable[[], int]
    registry_backoff: Backoff = BACKOFF
    refused: RefusedShare = field(default_factory=RefusedShare)
    merge: Merge = teacher_wins
    producers: ProducerReader = UNKNOWN
    signatures: Signatures = field(default_factory=Signatures)
    may_ask: MayAsk = asks_all
    ask_unsure: AskUnsure | None = None
    ask_audit: AskAlone | None = None

    async def __call__(self, record: ConsumerRecord[bytes, bytes]) -> None:
        """Answer one request; raises only what must end the process.

        That is a result that cannot be delivered, a topic that cannot be widened for it, or a
        teacher whose state file is damaged.
        """
        request = await self.read(record)
        if request is not None:
            await self.answer(request)

    async def read(self, record: ConsumerRecord[bytes, bytes]) -> TeacherRequest | None:
        """Read a request; None for one of another task, and for what is dead-lettered."""
        await resolve_patiently(self.codec, [record.value], backoff=self.registry_backoff)
        try:
            request = await self._read(record)
        except DecodeError as error:
            await bury(self.letters, record, error, deliver=self.deliver)
            self.metrics.dead_letters.labels(error.code).inc()
            return None
        # The topic may be shared with another task, whose teacher answers it.
        return request if request.task == self.task else None

    async def answer(self, request: TeacherRequest) -> None:
        """Ask about a request and deliver what came of it; raises as a call."""
        event, label = await self._answer(request)
        # The label first: should we die in between, the request is answered again.
        if label is not None:
            await self._deliver_label(label)
        try:
            await self._deliver_event(event, request)
        except OutputTooLargeError as error:
            kept = uncorrected(request, reason=error.code, now_ms=self.now_ms())
            await self._deliver_event(kept, request)

    async def _read(self, record: ConsumerRecord[bytes, bytes]) -> TeacherRequest:
        """Decode a request, and see before it costs anything that its correction has a place."""
        request = self.codec.decode(TeacherRequest, record.value or b"")
        at = request.source_partition
        if request.task == self.task and not await self.has_room(at, record.partition):
            raise DecodeError(f"there is no partition {at} for its correction")
        return request

    async def _answer(self, request: TeacherRequest) -> tuple[EntityEvent, SilverLabel | None]:
        started = time.perf_counter()
        try:
            event, label = await answer_request(
                request,
                self.teacher,
                task_digest=self.task_digest,
                now_ms=self.now_ms,
                merge=self.merge,
                producers=self.producers,
                may_ask=self.may_ask,
                ask_unsure=self.ask_unsure,
                ask_audit=self.ask_audit,
            )
        except HaltError:
            raise
        except Exception:  # noqa: BLE001 - logged, and said in the event's reason
            # A fault of ours in one answer must not keep the others from theirs.
            _log.exception("teach_failed", record_id=request.record_id)
            return uncorrected(request, reason=TEACHER_FAILED, now_ms=self.now_ms()), None
        finally:
            self.metrics.request_seconds.observe(time.perf_counter() - started)
        self._count_refused(event)
        return event, label

    def _count_refused(self, event: EntityEvent) -> None:
        """Keep the share of answers that were no label; an answer that never came is none."""
        refused = event.reason in _REFUSED
        if not refused and event.decided_by == "student":
            return
        if self.refused.add(refused=refused):
            _log.error("most_answers_refused", share=round(self.refused.share, 2))
        self.metrics.refused_share.set(self.refused.share)

    async def _deliver_label(self, label: SilverLabel) -> None:
        topic = self.names.silver_labels
        value = self.codec.encode(label, topic)
        key = label_key(label)
        signed = self.signatures.headers(topic, key, value)
        # The key chooses: compaction keeps one label per key and partition.
        try:
            await self.deliver(Outgoing(topic, value, key=key, headers=signed), beside=None)
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
            partition=request.source_partition,
            headers=tuple(event_headers(event, request.headers)),
        )
        await self.deliver(outgoing, beside=request.source_partition)
        answered = event.decided_by != "student"
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
