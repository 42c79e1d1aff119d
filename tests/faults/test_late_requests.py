"""A request of a transaction that comes to the broker amid the lane's next one tears nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError

from schemas.settings import KafkaSettings
from stream.kafka import clients
from stream.kafka.lane.fault_points import FaultHook, Point
from stream.kafka.lane.worker import LaneWorker
from stream.kafka.messages import Failed, Outgoing
from stream.kafka.topic_logs import read_to_end
from stream.kafka.topics import TopicSpec, create_topics
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.lanes import RememberingObserver, running, until
from stream.testing.late_requests import END_TXN, TXN_OFFSET_COMMIT, LateRequests

END_RECORDS, END_TRIALS = 160, 24
OFFSET_RECORDS, OFFSET_TRIALS = 40, 6
WHEN: tuple[Point, ...] = ("before_produce", "after_produce", "after_produce", "after_offsets")


@pytest.mark.kafka
async def test_an_end_that_comes_late_ends_no_later_transaction(apache_kafka: ApacheKafka) -> None:
    """Each trial: an end is lost on its way, the batch after it is under way, the end arrives.

    Where it arrives once all outputs are written, the batch fails besides: had the end committed
    them, they would come a second time.
    """
    answers: list[int | None] = []

    def fault(point: Point) -> None:
        if proxy.n_held and point == WHEN[len(answers) % len(WHEN)]:
            answers.append(proxy.let_go())
            if point == "after_produce":
                raise KafkaError("the batch fails")
        elif point == "after_offsets" and not proxy.n_held and len(answers) < END_TRIALS:
            proxy.holding = True

    with LateRequests(_port(apache_kafka), END_TXN) as proxy:
        await _each_comes_once(apache_kafka, proxy, "ends", END_RECORDS, fault)
    assert len(answers) == END_TRIALS


@pytest.mark.kafka
async def test_an_offset_that_comes_late_takes_no_later_ones_place(
    apache_kafka: ApacheKafka,
) -> None:
    """Each trial: an offset is lost on its way, it arrives after the next batch's, the lane falls.

    Had it taken the place of the next one, that batch would come a second time.
    """
    answers: list[int | None] = []
    falls: list[bool] = []
    next_batch = False

    def fault(point: Point) -> None:
        nonlocal next_batch
        if point == "before_produce":
            next_batch = bool(proxy.n_held)
            proxy.holding = not next_batch and len(answers) < OFFSET_TRIALS
        elif point == "after_offsets" and next_batch:
            answers.append(proxy.let_go())
        elif point == "after_commit" and len(falls) < len(answers):
            falls.append(True)
            raise KafkaError("the lane falls")

    with LateRequests(_port(apache_kafka), TXN_OFFSET_COMMIT) as proxy:
        await _each_comes_once(apache_kafka, proxy, "offsets", OFFSET_RECORDS, fault)
    assert len(answers) == len(falls) == OFFSET_TRIALS


def _port(kafka: ApacheKafka) -> int:
    return int(kafka.bootstrap_servers.rpartition(":")[2])


async def _each_comes_once(
    kafka: ApacheKafka, proxy: LateRequests, name: str, n_records: int, fault: FaultHook
) -> None:
    """Run a lane through the proxy until all is delivered; its two outputs have each text once."""
    topics = [f"{name}.{kind}" for kind in ("text", "entities", "requests", "letters")]
    direct = KafkaSettings(
        bootstrap_servers=kafka.bootstrap_servers, text_topic=topics[0], max_batch_records=2
    )
    outputs = topics[1:3]
    await create_topics(direct, [TopicSpec(topic, 1, 1) for topic in topics])
    async with clients.started(lambda: clients.producer(direct), settings=direct) as feeder:
        for number in range(n_records):
            await feeder.send(topics[0], b"%d" % number, partition=0)
        await feeder.flush()

    async def twice(
        records: Sequence[ConsumerRecord[bytes, bytes]],
    ) -> list[Sequence[Outgoing] | Failed]:
        return [
            [Outgoing(topic, record.value, key=None) for topic in outputs] for record in records
        ]

    observer = RememberingObserver()
    worker = LaneWorker(
        direct.model_copy(update={"bootstrap_servers": proxy.servers}),
        group_id=name,
        transactional_prefix=name,
        make_processor=lambda _: twice,
        dead_letter_topic=topics[3],
        outputs=outputs,
        observer=observer,
        fault_hook=fault,
    )
    expected = Counter(b"%d" % number for number in range(n_records))

    async def all_are_there() -> bool:
        if task.done():
            return True
        return all([len(await _values(direct, topic)) >= n_records for topic in outputs])

    async with running(worker) as task:
        await until(all_are_there, deadline_s=180)
    for topic in outputs:
        assert Counter(await _values(direct, topic)) == expected


async def _values(settings: KafkaSettings, topic: str) -> list[bytes | None]:
    return [record.value async for record in read_to_end(settings, topic)]
