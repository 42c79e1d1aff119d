from __future__ import annotations

import itertools

import pytest

from schemas.errors import TopicError
from schemas.settings import KafkaSettings, TopicSettings
from schemas.wire.topics import TopicNames
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.topics import (
    TopicSpec,
    check_topics,
    create_topics,
    partition_counts,
    specs,
    widen_topics,
)
from stream.testing.apache_kafka import ApacheKafka

_numbers = itertools.count()


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def kafka(request: pytest.FixtureRequest) -> KafkaSettings:
    fixture = "embedded_broker" if request.param == "embedded" else "apache_kafka"
    broker: EmbeddedBroker | ApacheKafka = request.getfixturevalue(fixture)
    return KafkaSettings(bootstrap_servers=broker.bootstrap_servers, startup_timeout_s=30)


@pytest.fixture
def names() -> TopicNames:
    prefix = f"topics.{next(_numbers)}."
    return TopicNames.of(KafkaSettings(topic_prefix=prefix, text_topic=f"{prefix}text"))


async def test_what_was_created_passes_the_check_and_creating_again_changes_nothing(
    kafka: KafkaSettings, names: TopicNames
) -> None:
    wanted = specs(names, TopicSettings(partitions=3))
    assert await create_topics(kafka, wanted) == [spec.name for spec in wanted]
    await check_topics(kafka, wanted)
    assert await create_topics(kafka, wanted) == []
    counts = await partition_counts(kafka, [names.text, names.promotions, "nothing"])
    assert counts == {names.text: 3, names.promotions: 1}


async def test_outputs_take_the_partition_count_of_an_input_topic_that_is_there_already(
    kafka: KafkaSettings, names: TopicNames
) -> None:
    await create_topics(kafka, [TopicSpec(names.text, 5, 1)])
    wanted = specs(names, TopicSettings(partitions=2))
    await create_topics(kafka, wanted)
    await check_topics(kafka, wanted)
    counts = await partition_counts(kafka, [names.entities, names.teacher_requests])
    assert set(counts.values()) == {5}


async def test_missing_topics_are_named_with_the_command_that_mends_it(
    kafka: KafkaSettings, names: TopicNames
) -> None:
    with pytest.raises(TopicError, match="is missing: run `silverstream topics create`") as caught:
        await check_topics(kafka, specs(names, TopicSettings()))
    assert str(caught.value).count("is missing") == 10
    assert await partition_counts(kafka, [names.text]) == {}, "the check made what it looked for"


async def test_wrong_partition_counts_are_told_with_the_right_ones(
    kafka: KafkaSettings, names: TopicNames
) -> None:
    wrong = [TopicSpec(names.text, 4, 1), TopicSpec(names.entities, 3, 1)]
    wrong.append(TopicSpec(names.teacher_requests, 5, 1))  # more do no harm
    await create_topics(kafka, [*wrong, TopicSpec(names.promotions, 2, 1)])
    wanted = specs(names, TopicSettings())
    await create_topics(kafka, wanted)
    with pytest.raises(TopicError) as caught:
        await check_topics(kafka, wanted)
    message = str(caught.value)
    assert f"{names.entities} has 3 partitions but needs 4 as {names.text} has: run" in message
    assert "delete" not in message
    assert f"{names.promotions} has 2 partitions but needs 1" in message
    assert names.teacher_requests not in message


@pytest.mark.kafka
async def test_topics_that_are_too_narrow_are_widened_and_no_others(
    apache_kafka: ApacheKafka, names: TopicNames
) -> None:
    kafka = KafkaSettings(bootstrap_servers=apache_kafka.bootstrap_servers)
    made = {names.text: 4, names.entities: 3, names.teacher_requests: 5}
    await create_topics(kafka, [TopicSpec(name, count, 1) for name, count in made.items()])
    wanted = specs(names, TopicSettings())
    await create_topics(kafka, wanted)
    assert await widen_topics(kafka, wanted) == [names.entities]
    await check_topics(kafka, wanted)
    assert await widen_topics(kafka, wanted) == []
    assert await widen_topics(kafka, wanted[1:3], at_least=5) == [names.entities]
    counts = await partition_counts(kafka, [*made])
    assert counts == {names.text: 4, names.entities: 5, names.teacher_requests: 5}


async def test_a_broker_that_does_not_widen_leaves_the_command_that_does(
    embedded_broker: EmbeddedBroker, names: TopicNames
) -> None:
    kafka = KafkaSettings(bootstrap_servers=embedded_broker.bootstrap_servers)
    await create_topics(kafka, [TopicSpec(names.text, 4, 1), TopicSpec(names.entities, 3, 1)])
    wanted = specs(names, TopicSettings())
    command = f"kafka-topics.sh --alter --topic {names.entities} --partitions 4"
    with pytest.raises(TopicError, match=command):
        await widen_topics(kafka, wanted)


@pytest.mark.kafka
async def test_a_wrong_policy_is_told_with_the_command_that_mends_it(
    apache_kafka: ApacheKafka, names: TopicNames
) -> None:
    kafka = KafkaSettings(bootstrap_servers=apache_kafka.bootstrap_servers)
    compacted = (names.entities, names.teacher_requests, names.dead_letters)
    wrong = {names.silver_labels: "delete", **dict.fromkeys(compacted, "compact")}
    wanted = specs(names, TopicSettings())
    made = [
        TopicSpec(name, wanted[0].partitions, 1, config={"cleanup.policy": policy})
        for name, policy in wrong.items()
    ]
    await create_topics(kafka, made)
    await create_topics(kafka, wanted)
    with pytest.raises(TopicError) as caught:
        await check_topics(kafka, wanted)
    message = str(caught.value)
    assert (
        f"{names.silver_labels} has cleanup.policy=delete but needs compact: kafka-conf" in message
    )
    for name in compacted:
        assert f"{name} has cleanup.policy=compact but needs delete: kafka-conf" in message
