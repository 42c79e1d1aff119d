"""The end of a transaction that reaches the broker amid the next one of its lane tears nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError

from schemas.settings import KafkaSettings
from stream.kafka import clients
from stream.kafka.lane.fault_points import Point
from stream.kafka.lane.worker import LaneWorker
from stream.kafka.messages import Failed, Outgoing
from stream.kafka.topic_logs import read_to_end
from stream.kafka.topics import TopicSpec, create_topics
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.lanes import RememberingObserver, running, until
from stream.testing.late_ends import LateEnds

RECORDS, TRIALS = 160, 24
WHEN: tuple[Point, ...] = ("before_produce", "after_produce", "after_produce", "after_offsets")


@pytest.mark.kafka
async def test_an_end_that_comes_late_ends_no_later_transaction(apache_kafka: ApacheKafka) -> None:
    """Each trial: an end is lost on its way, the batch after it is under way, the end arrives.

    Where it arrives once all outputs are written, the batch fails besides: had the end committed
    them, they would come a second time.
    """
    port = int(apache_kafka.bootstrap_servers.rpartition(":")[2])
    direct = KafkaSettings(
        bootstrap_servers=apache_kafka.bootstrap_servers,
        text_topic="late.text",
        max_batch_records=2,
    )
    topics = ("late.text", "late.entities", "late.requests", "late.letters")
    await create_topics(direct, [TopicSpec(topic, 1, 1) for topic in topics])
    async with clients.started(lambda: clients.producer(direct), settings=direct) as feeder:
        for number in range(RECORDS):
            await feeder.send("late.text", b"%d" % number, partition=0)
        await feeder.flush()
    answers: list[int | None] = []

    def fault(point: Point) -> None:
        if proxy.n_held and point == WHEN[len(answers) % len(WHEN)]:
            answers.append(proxy.let_go())
            if point == "after_produce":
                raise KafkaError("the batch fails")
        elif point == "after_offsets" and not proxy.n_held and len(answers) < TRIALS:
            proxy.holding = True

    with LateEnds(port) as proxy:
        observer = RememberingObserver()
        worker = LaneWorker(
            direct.model_copy(update={"bootstrap_servers": proxy.servers}),
            group_id="late",
            transactional_prefix="late",
            make_processor=lambda _: _twice,
            dead_letter_topic="late.letters",
            outputs=("late.entities", "late.requests"),
            observer=observer,
            fault_hook=fault,
        )
        async with running(worker) as task:
            await until(lambda: task.done() or observer.records >= RECORDS, deadline_s=120)

    assert len(answers) == TRIALS
    expected = Counter(b"%d" % number for number in range(RECORDS))
    for topic in ("late.entities", "late.requests"):
        assert Counter([record.value async for record in read_to_end(direct, topic)]) == expected


async def _twice(
    records: Sequence[ConsumerRecord[bytes, bytes]],
) -> list[Sequence[Outgoing] | Failed]:
    return [
        [Outgoing(topic, record.value, key=None) for topic in ("late.entities", "late.requests")]
        for record in records
    ]
