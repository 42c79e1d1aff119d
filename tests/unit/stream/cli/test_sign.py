from __future__ import annotations

import itertools

import pytest
from pydantic import SecretStr

from schemas.settings import KafkaSettings, TopicSettings
from schemas.wire.topics import TopicNames
from stream.cli.sign import unsigned_records, write_signed
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.signatures import Signatures, new_key
from stream.kafka.topic_logs import append, read_to_end
from stream.kafka.topics import create_topics, specs

_numbers = itertools.count()


@pytest.fixture
async def kafka(embedded_broker: EmbeddedBroker) -> KafkaSettings:
    prefix = f"sign-{next(_numbers)}."
    settings = KafkaSettings(
        bootstrap_servers=embedded_broker.bootstrap_servers,
        topic_prefix=prefix,
        text_topic=f"{prefix}text",
    )
    await create_topics(settings, specs(TopicNames.of(settings), TopicSettings(partitions=2)))
    return settings


def _signing(kafka: KafkaSettings) -> tuple[KafkaSettings, Signatures]:
    signing = kafka.model_copy(update={"signing_key": SecretStr(new_key())})
    return signing, Signatures.of(signing)


async def _believed(kafka: KafkaSettings, topic: str) -> list[tuple[int, bytes, bytes | None]]:
    records = [record async for record in read_to_end(kafka, topic)]
    return sorted((x.partition, x.key, x.value) for x in records)


async def test_of_a_key_in_two_partitions_both_records_are_signed(kafka: KafkaSettings) -> None:
    topic = TopicNames.of(kafka).silver_labels
    signing, signatures = _signing(kafka)
    for partition, value in ((0, b"old"), (0, b"before"), (1, b"after")):
        await append(kafka, topic, key=b"k", value=value, partition=partition)
    found = await unsigned_records(signing, topic, signatures)
    assert await write_signed(signing, found, signatures) == 2
    assert await _believed(signing, topic) == [(0, b"k", b"before"), (1, b"k", b"after")]


async def test_what_came_since_the_reading_is_not_overtaken(kafka: KafkaSettings) -> None:
    topic = TopicNames.of(kafka).silver_labels
    signing, signatures = _signing(kafka)
    for key in (b"changed", b"forgotten", b"same"):
        await append(kafka, topic, key=key, value=b"old", partition=0)
    found = await unsigned_records(signing, topic, signatures)
    await append(kafka, topic, key=b"changed", value=b"new", partition=0)
    await append(signing, topic, key=b"forgotten", value=None, partition=0)
    assert await write_signed(signing, found, signatures) == 1
    assert await _believed(signing, topic) == [(0, b"forgotten", None), (0, b"same", b"old")]
    (left,) = await unsigned_records(signing, topic, signatures)
    assert (left.key, left.value) == (b"changed", b"new")


async def test_promotions_are_all_signed_in_their_order(kafka: KafkaSettings) -> None:
    topic = TopicNames.of(kafka).promotions
    signing, signatures = _signing(kafka)
    for value in (b"1", b"2"):
        await append(kafka, topic, key=b"people", value=value)
    found = await unsigned_records(signing, topic, signatures)
    await append(kafka, topic, key=b"people", value=b"3")
    assert await write_signed(signing, found, signatures) == 2
    assert [x.value async for x in read_to_end(signing, topic)] == [b"1", b"2"]
