"""Whether topics take records: the replicas that are in sync against `min.insync.replicas`.

Apache Kafka counts no more replicas than a topic has (tried on 4.4), so there a minimum above the
replication factor asks for all of them. Other brokers, and older ones, then refuse every record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient

from schemas.errors import TopicError
from schemas.settings import KafkaSettings
from stream.kafka import clients
from stream.kafka.topics import topic_configs

_MINIMUM: Final = "min.insync.replicas"


async def check_replicas(settings: KafkaSettings, names: Sequence[str]) -> list[str]:
    """Remark on topics that may refuse records; a broker that tells no minimum is not judged.

    Raises `TopicError` where one takes none now, `BrokerUnavailableError` when there is no broker.
    """

    async def look(client: AIOKafkaAdminClient) -> tuple[list[dict[str, Any]], dict[str, int]]:
        # All topics, not these by name: asking by name makes some brokers create them.
        topics = [topic for topic in await client.describe_topics() if topic["topic"] in names]
        configs = await topic_configs(client, [topic["topic"] for topic in topics])
        told = {name: config.get(_MINIMUM) for name, config in configs.items()}
        return topics, {name: int(minimum) for name, minimum in told.items() if minimum}

    topics, minima = await clients.ask(lambda: clients.admin(settings), look, settings=settings)
    if blocked := [*blocked_partitions(topics, minima)]:
        raise TopicError("; ".join(blocked))
    return [*high_minima(topics, minima)]


def blocked_partitions(
    topics: Sequence[Mapping[str, Any]], minima: Mapping[str, int]
) -> Iterator[str]:
    """Name the topics that refuse records by now; `topics` as aiokafka describes them."""
    for topic, partitions, minimum in _judged(topics, minima):
        short = [one for one in partitions if len(one["isr"]) < min(minimum, len(one["replicas"]))]
        if short:
            n, of = len(short[0]["isr"]), len(short[0]["replicas"])
            yield (
                f"topic {topic} takes no records: {n} of {of} replicas of partition "
                f"{short[0]['partition']} are in sync, {_MINIMUM} is {minimum}: bring the brokers "
                "back that are away"
            )


def high_minima(topics: Sequence[Mapping[str, Any]], minima: Mapping[str, int]) -> Iterator[str]:
    """Name the topics whose minimum is above their number of replicas."""
    for topic, partitions, minimum in _judged(topics, minima):
        replicas = min(len(one["replicas"]) for one in partitions)
        if minimum > replicas:
            yield (
                f"topic {topic} has {_MINIMUM}={minimum} and {replicas} "
                f"{'replica' if replicas == 1 else 'replicas'}: some brokers refuse every record; "
                "give it more (topics.replication, before it is made) or lower the minimum"
            )


def _judged(
    topics: Sequence[Mapping[str, Any]], minima: Mapping[str, int]
) -> Iterator[tuple[str, Sequence[Mapping[str, Any]], int]]:
    for topic in topics:
        if topic["partitions"] and topic["topic"] in minima:
            yield topic["topic"], topic["partitions"], minima[topic["topic"]]
