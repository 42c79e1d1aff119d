"""One run: the range, partition after partition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from schemas.errors import BrokerUnavailableError, ConfigError, TopicError
from schemas.settings import KafkaSettings
from schemas.types import EntityEvent
from schemas.wire.topics import TopicNames
from stream.kafka import clients
from stream.kafka.aiokafka_errors import FORBIDDEN
from stream.kafka.lane.fault_points import FaultHook, no_fault
from stream.kafka.topics import partition_counts
from stream.revise.changes import Changes
from stream.revise.publishing import Publisher
from stream.revise.reading import Span, spans, survey, texts
from stream.revise.result import RevisionResult
from stream.revise.standing import Survey
from stream.revise.times import TimeRange

WINDOW_RECORDS = 100_000
"""Input offsets whose standing is held at once, some 80 MB; their events are read once a window."""


OnRead = Callable[[int, int], None]
"""Told of (records read, records to read at most)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What a run needs. `group_id` is the lanes' group, whose progress is read.

    Transactional ids are `{group_id}-revise-{topic}-{partition}`.
    """

    kafka: KafkaSettings
    changes: Changes
    group_id: str
    dry_run: bool = False
    progress: OnRead = lambda _done, _of: None
    fault_hook: FaultHook = no_fault
    window_records: int = WINDOW_RECORDS

    async def run(self, times: TimeRange, *, max_records: int) -> RevisionResult:
        """Publish what differs, of at most `max_records` records of the range.

        Each partition gets an equal share of these, and what the ones before it left. Raises
        `TopicError`, `FencedError`, `BrokerUnavailableError`, `ConfigError`.
        """
        result = RevisionResult(
            times=times, student_version=self.changes.judge.version, dry_run=self.dry_run
        )
        try:
            await self._revise(result, max_records)
        except FORBIDDEN as error:
            raise ConfigError(f"the broker forbids it: {error}") from error
        except (KafkaError, OSError, TimeoutError) as error:
            raise BrokerUnavailableError(
                f"the brokers failed after {result.published} revisions ({error!r}): run the same "
                "command again, it goes on"
            ) from error
        return result

    async def _revise(self, result: RevisionResult, max_records: int) -> None:
        found = await spans(self.kafka, result.times, group_id=self.group_id)
        await self._check(found)
        most = min(max_records, sum(span.end - span.start for span in found))
        for number, span in enumerate(found):
            # Rounded up, so that a few records are not left to nobody.
            share = -(-(max_records - result.read) // (len(found) - number))
            part = _Partition(self, span, result, most=most)
            await part.run(share)

    async def _check(self, found: Sequence[Span]) -> None:
        topic = TopicNames.of(self.kafka).entities
        count = (await partition_counts(self.kafka, [topic])).get(topic, 0)
        needed = max((span.source.partition for span in found), default=0) + 1
        if count < needed:
            raise TopicError(
                f"topic {topic} has {count} partitions but needs {needed}: "
                "run `silverstream topics create`"
            )
        if self.dry_run:
            return
        await self.changes.codec.prepare({topic: EntityEvent})
        if self.kafka.delivery == "exactly_once":
            probe = f"{self.group_id}-revise-probe"
            await clients.check_transactions(self.kafka, transactional_id=probe)


class _Partition:
    """The part of a run that is about one partition of the text topic."""

    def __init__(
        self, revision: Revision, span: Span, result: RevisionResult, *, most: int
    ) -> None:
        self._revision = revision
        self._span = span
        self._result = result
        self._most = most
        self._entities = TopicPartition(
            TopicNames.of(revision.kafka).entities, span.source.partition
        )
        self._survey = Survey(
            task=revision.changes.task,
            source=f"{span.source.topic}-{span.source.partition}",
            window=range(0),
            tagged_to=span.tagged_to,
        )
        self._surveyed_to = 0

    async def run(self, limit: int) -> None:
        """Revise at most so many records."""
        publisher = None if self._revision.dry_run else self._publisher()
        try:
            if publisher is not None:
                await publisher.open()
            await self._run(limit, publisher)
        finally:
            if publisher is not None:
                await publisher.close()

    async def _run(self, limit: int, publisher: Publisher | None) -> None:
        found = texts(self._revision.kafka, self._span, self._result.times)
        async with aclosing(found) as batches:
            async for records in batches:
                taken, left = records[:limit], records[limit:]
                limit -= len(taken)
                while taken:
                    taken = await self._window(taken, publisher)
                if left:
                    self._result.stopped_at(left[0].timestamp)
                    return

    async def _window(
        self, records: Sequence[ConsumerRecord], publisher: Publisher | None
    ) -> Sequence[ConsumerRecord]:
        """Revise the records of the window that the first of them is in; returns the others."""
        if records[0].offset >= self._survey.window.stop:
            await self._look_on(records[0].offset)
        stop = self._survey.window.stop
        inside = [record for record in records if record.offset < stop]
        await self._batch(inside, publisher)
        return records[len(inside) :]

    async def _look_on(self, first: int) -> None:
        """Survey the window that begins with a record."""
        revision, before = self._revision, self._survey
        start = self._surveyed_to if before.beyond_at is None else before.beyond_at
        self._survey = before.next(range(first, first + revision.window_records))
        self._surveyed_to = await survey(
            revision.kafka,
            revision.changes.codec,
            self._survey,
            entities=self._entities,
            start=start,
        )

    async def _batch(self, records: Sequence[ConsumerRecord], publisher: Publisher | None) -> None:
        result = self._result
        found = await self._revision.changes.of(records, self._survey)
        result.read += len(records)
        result.kept.update(found.kept)
        result.changed_by.update(change.event.decided_by for change in found.changed)
        if publisher is not None and found.changed:
            outgoing = [self._revision.changes.addressed(change) for change in found.changed]
            refused = await publisher.publish(outgoing)
            result.refused += refused
            result.published += len(outgoing) - refused
        self._revision.progress(result.read, self._most)

    def _publisher(self) -> Publisher:
        revision = self._revision
        return Publisher(
            revision.kafka,
            source=self._span.source,
            transactional_prefix=f"{revision.group_id}-revise",
            fault_hook=revision.fault_hook,
        )
