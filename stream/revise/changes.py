"""From records and what stands for them to the events that are to be published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from aiokafka import ConsumerRecord

from schemas.errors import RecordError, TaggingError
from schemas.types import EntityEvent, Tagging, text_digest
from schemas.wire.codec import Codec
from schemas.wire.events import revised_by_other, revised_by_student
from schemas.wire.headers import event_headers
from schemas.wire.inputs import InputReader, framed
from schemas.wire.record_ids import record_id
from stream.kafka.lane.sending import Addressed
from stream.kafka.lenient import is_readable
from stream.kafka.messages import Outgoing
from stream.revise import deciding
from stream.revise.deciding import Kept, KnownAnswer, Ruling
from stream.revise.standing import Standing, Survey


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """The student in force: what events call it, and how it tags; one outcome a text, in order."""

    version: str
    task_digest: str
    policy_digest: str
    tag: Callable[[Sequence[str]], Awaitable[Sequence[Tagging | TaggingError]]]


@dataclass(frozen=True, slots=True)
class Change:
    """A revision to be published, and the record that it is of."""

    record: ConsumerRecord
    event: EntityEvent


@dataclass(slots=True)
class Found:
    """What came of a batch; `kept` counts the records that keep what stands."""

    changed: list[Change] = field(default_factory=list)
    kept: Counter[Kept] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Text:
    """A record that could be read, and what stands for it."""

    record: ConsumerRecord
    text: str
    standing: Standing | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Finds what is to be published; `ruling` gives a person's word on exactly a text.

    `answer` gives the teacher's. `task` and `task_digest` are those of today's task file, which
    both answer; `topic` is that of the events.
    """

    task: str
    task_digest: str
    topic: str
    reader: InputReader
    codec: Codec
    judge: Judge
    ruling: Callable[[str], Ruling | None]
    answer: Callable[[str], KnownAnswer | None]
    now_ms: Callable[[], int]
    resolve_schemas: bool

    async def of(self, records: Sequence[ConsumerRecord], survey: Survey) -> Found:
        """Decide about the records of one batch, all of the survey's window."""
        if self.resolve_schemas:
            await self.codec.resolve(framed(r.value, r.headers) for r in records if r.value)
        found = Found()
        unsettled = [
            text
            for record in records
            if (text := self._before_student(record, survey, found)) is not None
        ]
        outcomes = await self.judge.tag([one.text for one in unsettled]) if unsettled else ()
        for one, outcome in zip(unsettled, outcomes, strict=True):
            self._by_student(one, outcome, found)
        found.changed.sort(key=lambda change: change.record.offset)
        return found

    def addressed(self, change: Change) -> Addressed:
        """Write a revision as the record's earlier ones were: its key, partition and headers."""
        record, event = change.record, change.event
        headers = tuple((name, value or b"") for name, value in record.headers)
        outgoing = Outgoing(
            self.topic,
            self.codec.encode(event, self.topic),
            key=record.key,
            partition=record.partition,
            headers=tuple(event_headers(event, headers)),
        )
        return record.offset, outgoing

    def _before_student(self, record: ConsumerRecord, survey: Survey, found: Found) -> _Text | None:
        """Settle what needs no student; give the others."""
        read = self._read(record, survey)
        settled = self._by_people(read, found) if isinstance(read, _Text) else read
        if isinstance(settled, str):
            found.kept[settled] += 1
            return None
        return settled

    def _read(self, record: ConsumerRecord, survey: Survey) -> _Text | Kept:
        try:
            text = self.reader.read(record.value, record.headers)
        except RecordError:
            return "unreadable"
        if text is None:
            return "delete"
        if not is_readable(record):
            return "unreadable"
        standing = survey.of(record.offset)
        kept = deciding.without_standing(survey, record.offset) if standing is None else None
        return kept or _Text(record, text, standing)

    def _by_people(self, one: _Text, found: Found) -> _Text | Kept | None:
        """Hear a person, else the teacher, else leave it to the student."""
        if (ruling := self.ruling(one.text)) is not None:
            kept = deciding.by_person(one.standing, ruling)
            event = None if kept else self._event_by(one, ruling)
        elif (answer := self.answer(one.text)) is not None:
            kept = deciding.by_teacher(one.standing, answer)
            event = None if kept else self._event_by(one, answer)
        else:
            student = self.judge.version
            return deciding.before_student(one.standing, student_version=student) or one
        if event is not None:
            found.changed.append(Change(one.record, event))
        return kept

    def _by_student(self, one: _Text, outcome: Tagging | TaggingError, found: Found) -> None:
        if isinstance(outcome, TaggingError):
            found.kept["tagging_failed"] += 1
        elif (kept := deciding.by_student(one.standing, outcome)) is not None:
            found.kept[kept] += 1
        else:
            found.changed.append(Change(one.record, self._students_event(one, outcome)))

    def _event_by(self, one: _Text, said: Ruling | KnownAnswer) -> EntityEvent:
        answer = said if isinstance(said, KnownAnswer) else None
        return revised_by_other(
            said,
            decided_by="teacher" if answer else "person",
            task=self.task,
            task_digest=self.task_digest,
            record_id=_id(one.record),
            digest=text_digest(one.text),
            revision=deciding.next_revision(one.standing),
            teacher_model=answer.model if answer else "",
            prompt_version=answer.prompt_version if answer else "",
            source_timestamp_ms=one.record.timestamp,
            now_ms=self.now_ms(),
        )

    def _students_event(self, one: _Text, tagging: Tagging) -> EntityEvent:
        return revised_by_student(
            tagging,
            task=self.task,
            task_digest=self.judge.task_digest,
            record_id=_id(one.record),
            digest=text_digest(one.text),
            revision=deciding.next_revision(one.standing),
            student_version=self.judge.version,
            policy_version=self.judge.policy_digest,
            source_timestamp_ms=one.record.timestamp,
            now_ms=self.now_ms(),
        )


def _id(record: ConsumerRecord) -> str:
    return record_id(record.topic, record.partition, record.offset)
