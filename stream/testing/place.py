"""The topics of one test of lanes on one broker, and what stands on them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas.settings import KafkaSettings
from stream.kafka.lane.worker import LaneWorker
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.messages import Processor
from stream.kafka.topic_logs import end_offsets, read_to_end
from stream.kafka.topics import TopicSpec, create_topics
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.lanes import RememberingObserver, echo, until

PARTITIONS = 2
_MARKERS_S = 10.0
_numbers = itertools.count()


@dataclass
class Place:
    """Topics of one test on one broker."""

    kafka: KafkaSettings
    out: str
    dead: str
    group: str
    observer: RememberingObserver = field(default_factory=RememberingObserver)

    def worker(
        self,
        processor: Processor | None = None,
        *,
        observer: RememberingObserver | None = None,
        make_processor: Callable[[TopicPartition], Processor] | None = None,
        outputs: Sequence[str] = (),
        **changes: object,
    ) -> LaneWorker:
        """Make a worker of these topics, `echo` without a processor; `changes` are settings."""
        chosen = processor or echo(self.out)
        return LaneWorker(
            self.kafka.model_copy(update=changes),
            group_id=self.group,
            transactional_prefix=self.group,
            make_processor=make_processor or (lambda _: chosen),
            dead_letter_topic=self.dead,
            outputs=outputs,
            observer=observer or self.observer,
        )

    async def written(self, topic: str) -> list[ConsumerRecord]:
        """Read all that a `read_committed` reader sees of a topic.

        A commit is answered before its markers stand in the partitions, so open transactions are
        waited for; one that a killed worker left is given up on.
        """
        with suppress(TimeoutError):
            await until(lambda: self._is_settled(topic), deadline_s=_MARKERS_S)
        return [record async for record in read_to_end(self.kafka, topic)]

    async def _is_settled(self, topic: str) -> bool:
        """Whether no transaction is open on the topic."""
        servers = self.kafka.bootstrap_servers
        async with AIOKafkaConsumer(bootstrap_servers=servers) as reader:
            partitions = [TopicPartition(topic, n) for n in range(PARTITIONS)]
            reader.assign(partitions)
            ends = await reader.end_offsets(partitions)
        committed = await end_offsets(self.kafka, topic)
        return all(committed[where.partition] >= end for where, end in ends.items())

    async def ids(self) -> list[str]:
        """Read what `echo` wrote: the ids of the records that came through."""
        return [record.value.decode() for record in await self.written(self.out)]

    def done(self, records: int) -> Callable[[], bool]:
        """Give the condition that so many records were delivered, for `until`."""
        return lambda: self.observer.records >= records


async def make_place(
    running_broker: EmbeddedBroker | ApacheKafka, delivery: Literal["at_least_once", "exactly_once"]
) -> Place:
    """Create new topics of `PARTITIONS` partitions each."""
    name = f"lanes.{next(_numbers)}.{delivery}"
    kafka = KafkaSettings(
        bootstrap_servers=running_broker.bootstrap_servers,
        delivery=delivery,
        text_topic=f"{name}.text",
        max_batch_records=50,
        # The embedded broker lets a new group wait for half of this.
        session_timeout_ms=3_000,
        startup_timeout_s=30,
    )
    there = Place(kafka, out=f"{name}.out", dead=f"{name}.dead", group=name)
    topics = (kafka.text_topic, there.out, there.dead)
    await create_topics(kafka, [TopicSpec(topic, PARTITIONS, 1) for topic in topics])
    return there


def origins(letters: Sequence[ConsumerRecord]) -> list[str]:
    """Tell which records these dead letters were, by their ids."""
    return [dict(letter.headers)["origin-record-id"].decode() for letter in letters]


def offset_of(record: ConsumerRecord) -> int:
    """Tell the offset that the record behind this answer of `echo` had."""
    return offset_in(record.value)


def offset_in(record_id: bytes) -> int:
    """Tell the offset that a record id ends with."""
    return int(record_id.decode().rsplit("-", 1)[1])
