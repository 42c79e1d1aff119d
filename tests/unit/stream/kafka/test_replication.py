from __future__ import annotations

import itertools
from typing import Any

import pytest

from schemas.settings import KafkaSettings
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.replication import blocked_partitions, check_replicas, high_minima
from stream.kafka.topics import TopicSpec, create_topics
from stream.testing.apache_kafka import ApacheKafka

_numbers = itertools.count()


def described(replicas: int, *in_sync: int) -> dict[str, Any]:
    """As aiokafka describes a topic with so many partitions."""
    brokers = [*range(replicas)]
    partitions = [
        {"partition": number, "replicas": brokers, "isr": brokers[:n]}
        for number, n in enumerate(in_sync)
    ]
    return {"topic": "s.promotions", "partitions": partitions}


@pytest.mark.parametrize(
    ("topic", "minimum", "blocked", "high"),
    [
        (described(3, 3, 3), 2, False, False),
        (described(3, 3, 2), 2, False, False),
        (described(3, 3, 1), 2, True, False),
        (described(1, 1), 2, False, True),
        (described(2, 1), 3, True, True),
        (described(1), 2, False, False),
    ],
)
def test_replicas_in_sync_are_held_against_the_minimum(
    topic: dict[str, Any],
    minimum: int,
    blocked: bool,  # noqa: FBT001 - of the table above
    high: bool,  # noqa: FBT001 - as above
) -> None:
    minima = {"s.promotions": minimum}
    assert [bool([*look([topic], minima)]) for look in (blocked_partitions, high_minima)] == [
        blocked,
        high,
    ]
    assert not [*blocked_partitions([topic], {}), *high_minima([topic], {})]


def test_what_is_told_names_partition_numbers_and_what_to_do() -> None:
    (told,) = blocked_partitions([described(3, 3, 1)], {"s.promotions": 2})
    assert "1 of 3 replicas of partition 1 are in sync, min.insync.replicas is 2" in told
    (told,) = high_minima([described(1, 1)], {"s.promotions": 2})
    assert "min.insync.replicas=2 and 1 replica:" in told


@pytest.mark.kafka
async def test_a_minimum_above_the_replication_factor_is_told(apache_kafka: ApacheKafka) -> None:
    kafka = KafkaSettings(bootstrap_servers=apache_kafka.bootstrap_servers, startup_timeout_s=30)
    names = [f"replicas-{next(_numbers)}" for _ in range(2)]
    config = {"min.insync.replicas": "2"}
    await create_topics(
        kafka, [TopicSpec(names[0], 1, 1, config=config), TopicSpec(names[1], 1, 1)]
    )
    (told,) = await check_replicas(kafka, names)
    assert told.startswith(f"topic {names[0]} has min.insync.replicas=2 and 1 replica:")


async def test_a_broker_that_tells_no_minimum_is_not_judged(
    embedded_broker: EmbeddedBroker,
) -> None:
    kafka = KafkaSettings(bootstrap_servers=embedded_broker.bootstrap_servers, startup_timeout_s=30)
    name = f"replicas-{next(_numbers)}"
    await create_topics(kafka, [TopicSpec(name, 1, 1)])
    assert await check_replicas(kafka, [name]) == []
