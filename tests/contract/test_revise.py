"""What a later revision promises on every broker and in both deliveries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from schemas.errors import BrokerUnavailableError, FencedError
from schemas.settings import InputSettings, KafkaSettings
from schemas.types import Category, Entity, EntityEvent, Tagging, text_digest
from schemas.wire.codec import Codec
from schemas.wire.headers import event_headers
from schemas.wire.inputs import InputReader
from schemas.wire.record_ids import record_id
from schemas.wire.topics import TopicNames
from stream.kafka import clients
from stream.kafka.lane.fault_points import FaultHook, Point, no_fault
from stream.kafka.topics import TopicSpec, create_topics
from stream.revise.changes import Changes, Judge
from stream.revise.deciding import Ruling
from stream.revise.result import RevisionResult
from stream.revise.run import Revision
from stream.revise.times import TimeRange
from stream.testing.messages import an_event
from stream.testing.place import PARTITIONS, Place

OLD = (Entity(0, 3, "LOC", "Ada"),)
NEW = (Entity(0, 3, "PER", "Ada"),)
# An hour ago: Apache Kafka deletes what is older than a topic's retention when it comes to look.
T0 = (int(time.time()) - 3600) * 1000
EVER = TimeRange(0, 2**53)


@dataclass
class Desk:
    """A text topic, what was published of it, and the means to revise that."""

    place: Place
    kafka: KafkaSettings
    codec: Codec = field(default_factory=Codec)
    ids: list[str] = field(default_factory=list)

    @property
    def entities(self) -> str:
        return TopicNames.of(self.kafka).entities

    async def feed(self, values: Sequence[bytes | None]) -> None:
        """Write texts, partition by turns, a second apart."""
        async with clients.started(
            lambda: clients.producer(self.kafka), settings=self.kafka
        ) as producer:
            for value in values:
                number = len(self.ids)
                sent = await producer.send_and_wait(
                    self.kafka.text_topic,
                    value,
                    key=b"k%d" % number,
                    partition=number % PARTITIONS,
                    timestamp_ms=T0 + 1000 * number,
                    headers=[("traceparent", b"t%d" % number)],
                )
                self.ids.append(record_id(sent.topic, sent.partition, sent.offset))

    async def publish(self, *events: EntityEvent) -> None:
        """Write events, each into its record's partition."""
        async with clients.started(
            lambda: clients.producer(self.kafka), settings=self.kafka
        ) as producer:
            for event in events:
                await producer.send_and_wait(
                    self.entities,
                    self.codec.encode(event, self.entities),
                    partition=int(event.record_id.rsplit("-", 2)[1]),
                    headers=event_headers(event),
                )

    def event(self, number: int, **changes: Any) -> EntityEvent:
        """What the first student said of a record, which was wrong."""
        first: dict[str, Any] = {"record_id": self.ids[number], "entities": OLD}
        return an_event(**first | changes)

    def revision(
        self,
        *,
        says: Sequence[Entity] = NEW,
        version: str = "v2",
        rulings: Mapping[str, Ruling] | None = None,
        hook: FaultHook = no_fault,
        meanwhile: Callable[[], Awaitable[object]] | None = None,
        **changes: Any,
    ) -> Revision:
        async def tag(texts: Sequence[str]) -> list[Tagging]:
            if meanwhile is not None:
                await meanwhile()
            return [Tagging(tuple(says), confidence=0.8, score=0.8) for _ in texts]

        found = Changes(
            task="test",
            task_digest="today",
            topic=self.entities,
            reader=InputReader(InputSettings(), self.codec),
            codec=self.codec,
            judge=Judge(version=version, task_digest="made", policy_digest="p2", tag=tag),
            ruling=(rulings or {}).get,
            answer=lambda _: None,
            now_ms=lambda: T0,
            resolve_schemas=False,
        )
        return Revision(
            kafka=self.kafka,
            changes=found,
            group_id=self.place.group,
            fault_hook=hook,
            **changes,
        )

    async def run(
        self, times: TimeRange = EVER, *, max_records: int = 1000, **how: Any
    ) -> RevisionResult:
        return await self.revision(**how).run(times, max_records=max_records)

    async def written(self) -> list[tuple[ConsumerRecord, EntityEvent]]:
        records = await self.place.written(self.entities)
        return [(one, self.codec.decode(EntityEvent, one.value or b"")) for one in records]

    async def revisions(self) -> list[tuple[str, int]]:
        """The revisions behind the second, in the order of the records."""
        found = [(e.record_id, e.revision) for _, e in await self.written() if e.revision > 2]
        return sorted(found, key=lambda one: self.ids.index(one[0]))


@pytest.fixture
async def desk(place: Place) -> Desk:
    kafka = place.kafka.model_copy(update={"topic_prefix": f"{place.group}."})
    await create_topics(kafka, [TopicSpec(TopicNames.of(kafka).entities, PARTITIONS, 1)])
    return Desk(place, kafka)


async def test_what_a_student_decided_is_overturned_once_and_looks_like_its_earlier_revisions(
    desk: Desk,
) -> None:
    await desk.feed([b"Ada 0", b"Ada 1", b"Ada 2"])
    await desk.publish(desk.event(0), desk.event(1, entities=NEW), desk.event(2, revision=2))

    result = await desk.run()

    assert (result.read, result.changed, result.published) == (3, 2, 2)
    assert result.kept == {"same": 1}
    assert await desk.revisions() == [(desk.ids[0], 3), (desk.ids[2], 3)]
    by_id = {(e.record_id, e.revision): (r, e) for r, e in await desk.written()}
    record, event = by_id[desk.ids[2], 3]
    assert (record.key, record.partition) == (b"k2", 0)
    assert dict(record.headers)["ce_id"] == f"test/{desk.ids[2]}/3".encode()
    assert dict(record.headers)["ce_traceparent"] == b"t2"
    assert event == replace(
        desk.event(2),
        entities=NEW,
        confidence=0.8,
        revision=3,
        reason="revised",
        student_version="v2",
        policy_version="p2",
        task_digest="made",
        text_digest=text_digest("Ada 2"),
        source_timestamp_ms=T0 + 2000,
        produced_at_ms=T0,
    )

    again = await desk.run()
    assert (again.changed, again.published) == (0, 0)
    assert again.kept == {"same": 1, "same_student": 2}
    third = await desk.run(version="v3", says=OLD)
    assert third.published == 3
    assert sorted(n for _, n in await desk.revisions()) == [3, 3, 3, 4, 4]


async def test_only_records_of_the_range_are_read_and_never_more_than_were_allowed(
    desk: Desk,
) -> None:
    await desk.feed([b"Ada"] * 10)
    await desk.publish(*(desk.event(n) for n in range(10)))

    ranged = await desk.run(TimeRange(T0 + 2000, T0 + 5000), dry_run=True)
    bounded = await desk.run(max_records=4)

    assert (ranged.read, ranged.changed, ranged.published) == (3, 3, 0)
    assert (bounded.read, bounded.published, bounded.next_from_ms) == (4, 4, T0 + 4000)
    assert [one for one, _ in await desk.revisions()] == desk.ids[:4]
    rest = await desk.run(TimeRange(T0 + 4000, EVER.to_ms))
    assert (rest.read, rest.published, rest.next_from_ms) == (6, 6, None)
    assert await desk.revisions() == [(one, 3) for one in desk.ids]


async def test_a_run_that_died_and_is_run_again_gives_each_revision_once(desk: Desk) -> None:
    kafka = desk.kafka.model_copy(update={"max_batch_records": 3})
    desk = replace(desk, kafka=kafka)
    await desk.feed([b"Ada"] * 40)
    await desk.publish(*(desk.event(n) for n in range(40)))

    for point in ("after_produce", "before_produce", "after_commit"):
        with pytest.raises(BrokerUnavailableError, match="run the same command again"):
            await desk.run(hook=failing_at(point, count=2))
    last = await desk.run()

    assert last.read == 40
    assert 0 < last.published < 40
    assert await desk.revisions() == [(one, 3) for one in desk.ids]


async def test_windows_that_are_smaller_than_a_batch_see_all_that_stands(desk: Desk) -> None:
    await desk.feed([b"Ada"] * 12)
    await desk.publish(*(desk.event(n) for n in range(12)))
    await desk.publish(*(desk.event(n, revision=2, decided_by="teacher") for n in (1, 6, 11)))

    result = await desk.run(window_records=2)

    assert result.kept == {"teacher": 3}
    assert await desk.revisions() == [(x, 3) for n, x in enumerate(desk.ids) if n % 5 != 1]


async def test_a_persons_word_goes_before_everything_and_the_student_never_before_a_teacher(
    desk: Desk,
) -> None:
    await desk.feed([b"Ada", b"Bo", b"Bo", b"Cy"])
    await desk.publish(*(desk.event(n) for n in range(4)))
    await desk.publish(*(desk.event(n, revision=2, decided_by="teacher") for n in (0, 3)))
    said = Ruling((), (Category("glad"),), since_ms=T0)

    result = await desk.run(rulings={"Ada": said, "Bo": said})

    assert (result.changed_by, result.kept) == ({"person": 3}, {"teacher": 1})
    decided = {e.record_id: e for _, e in await desk.written() if e.revision == 3}
    assert {e.decided_by for e in decided.values()} == {"person"}
    assert (await desk.run(version="v9")).kept == {"person": 3, "teacher": 1}


async def test_what_cannot_be_revised_is_counted_and_what_expired_is_published_anew(
    desk: Desk,
) -> None:
    await desk.feed([b"Ada 0", b"Ada 1", b"Ada 2", None, b"\xff", b"Ada 5", b"Ada 6", b"Ada 7"])
    # Of partition 0 the records 0, 2, 4, 6: the first has expired. Of 1: 1, 3, 5, 7.
    await desk.publish(desk.event(2), desk.event(1, status="provisional"))

    result = await desk.run()

    # 5, 6 and 7 were not tagged yet.
    expected = {"unreadable": 1, "awaits_teacher": 1, "delete": 1, "not_tagged": 3}
    assert result.kept == expected
    assert await desk.revisions() == [(desk.ids[0], 3), (desk.ids[2], 3)]


async def test_a_revision_that_the_broker_refuses_does_not_keep_the_others(desk: Desk) -> None:
    await desk.feed([b"Ada", b"Ada", b"big", b"Ada", b"Ada"])
    await desk.publish(*(desk.event(n) for n in range(5)))
    big = Ruling((Entity(0, 3, "PER", "x" * 2_000_000),), (), since_ms=T0)

    result = await desk.run(rulings={"big": big})

    assert (result.changed, result.published, result.refused) == (5, 4, 1)
    expected = [(one, 3) for n, one in enumerate(desk.ids) if n != 2]
    published = await desk.revisions()
    if desk.kafka.delivery == "exactly_once":
        assert published == expected
    # Without transactions part of the refused batch may have been written before.
    assert set(published) == set(expected)


async def test_what_a_transaction_holds_that_is_under_way_is_waited_for(desk: Desk) -> None:
    if desk.kafka.delivery == "at_least_once":
        return  # nothing is ever under way there that could not be read
    await desk.feed([b"Ada", b"Ada"])
    await desk.publish(desk.event(0), desk.event(1))
    answer = desk.event(0, revision=2, decided_by="teacher")

    async with clients.started(
        lambda: clients.transactional_producer(desk.kafka, transactional_id=desk.place.group),
        settings=desk.kafka,
    ) as lane:
        await lane.begin_transaction()
        value = desk.codec.encode(answer, desk.entities)
        await lane.send_and_wait(desk.entities, value, partition=0)
        running = asyncio.create_task(desk.run())
        ended, _ = await asyncio.wait((running,), timeout=2)
        assert not ended
        await lane.commit_transaction()

    assert (await running).kept == {"teacher": 1}
    assert await desk.revisions() == [(desk.ids[1], 3)]


async def test_of_two_runs_at_once_the_older_is_stopped_before_it_repeats_the_other(
    desk: Desk,
) -> None:
    if desk.kafka.delivery == "at_least_once":
        return  # they may repeat each other there
    await desk.feed([b"Ada"])
    await desk.publish(desk.event(0))

    with pytest.raises(FencedError, match="let one run at a time"):
        await desk.run(meanwhile=desk.run)

    assert await desk.revisions() == [(desk.ids[0], 3)]


def failing_at(point: Point, *, count: int) -> FaultHook:
    """Fail as a broker would at the `count`-th time that a delivery comes to the point."""
    left = count

    def hook(reached: Point) -> None:
        nonlocal left
        left -= reached == point
        if left == 0 and reached == point:
            raise ConnectionError(point)

    return hook
