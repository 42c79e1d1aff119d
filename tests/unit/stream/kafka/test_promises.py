from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from pydantic import SecretStr

from schemas.settings import KafkaSettings, TopicSettings
from schemas.wire.codec import Codec
from schemas.wire.keyed import promise_key
from schemas.wire.topics import TopicNames
from stream.cli.sign import unsigned_records, write_signed
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.promises import publish_promises, read_promises, unsaid
from stream.kafka.signatures import Signatures, new_key, public_key
from stream.kafka.topic_logs import append
from stream.kafka.topics import check_topics, create_topics, specs
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.messages import a_promise

_numbers = itertools.count()

PROMISE = a_promise(task="people", task_digest="1", policy_version="2")


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
async def kafka(request: pytest.FixtureRequest) -> KafkaSettings:
    fixture = "embedded_broker" if request.param == "embedded" else "apache_kafka"
    broker: EmbeddedBroker | ApacheKafka = request.getfixturevalue(fixture)
    prefix = f"promises-{next(_numbers)}."
    settings = KafkaSettings(
        bootstrap_servers=broker.bootstrap_servers,
        topic_prefix=prefix,
        text_topic=f"{prefix}text",
        startup_timeout_s=30,
    )
    wanted = specs(TopicNames.of(settings), TopicSettings(partitions=2))
    await create_topics(settings, wanted)
    await check_topics(settings, wanted)
    return settings


async def test_a_promise_says_from_which_entities_on_it_holds(kafka: KafkaSettings) -> None:
    names = TopicNames.of(kafka)
    await append(kafka, names.entities, key=b"k", value=b"an event of before")
    (written,) = await publish_promises(kafka, names, Codec(), [PROMISE])
    assert sorted(written.offsets) == ["0", "1"]
    assert sum(written.offsets.values()) == 1
    assert await read_promises(kafka, names.promises, Codec()) == [written]


async def test_what_is_said_already_is_not_said_again_and_what_changed_is(
    kafka: KafkaSettings,
) -> None:
    names = TopicNames.of(kafka)
    label = replace(PROMISE, label="PER", state="unproven")
    await publish_promises(kafka, names, Codec(), [PROMISE, label])
    assert await publish_promises(kafka, names, Codec(), [PROMISE, label]) == []
    broken = replace(PROMISE, state="broken", policy_version="3")
    await publish_promises(kafka, names, Codec(), [broken, label])
    standing = await read_promises(kafka, names.promises, Codec())
    assert {one.label: one.state for one in standing} == {"": "broken", "PER": "unproven"}


async def test_what_cannot_be_read_is_passed_over_and_a_null_withdraws(
    kafka: KafkaSettings,
) -> None:
    names = TopicNames.of(kafka)
    await publish_promises(kafka, names, Codec(), [PROMISE])
    await append(kafka, names.promises, key=b"other", value=b"garbage")
    await append(kafka, names.promises, key=promise_key(PROMISE), value=None)
    assert await read_promises(kafka, names.promises, Codec()) == []


async def test_a_promise_under_the_key_of_another_is_none_and_the_others_is_said_again(
    kafka: KafkaSettings,
) -> None:
    names, label = TopicNames.of(kafka), replace(PROMISE, label="PER")
    await publish_promises(kafka, names, Codec(), [PROMISE, label])
    forged = Codec().encode(replace(label, agreement=1.0), names.promises)
    await append(kafka, names.promises, key=promise_key(PROMISE), value=forged)
    (standing,) = await read_promises(kafka, names.promises, Codec())
    assert (standing.label, standing.agreement) == ("PER", label.agreement)
    assert len(await publish_promises(kafka, names, Codec(), [PROMISE, label])) == 1


def test_another_student_or_label_has_a_key_of_its_own() -> None:
    others = [PROMISE, replace(PROMISE, label="PER"), replace(PROMISE, student_version="v2")]
    assert len({promise_key(one) for one in others}) == 3
    assert unsaid(others, [replace(PROMISE, offsets={"0": 4})]) == others[1:]


async def test_an_unsigned_promise_is_as_if_it_were_not_there(kafka: KafkaSettings) -> None:
    names, key = TopicNames.of(kafka), new_key()
    distill = kafka.model_copy(update={"signing_key": SecretStr(key)})
    consumer = kafka.model_copy(update={"trusted_keys": (f"promises:{public_key(key)}",)})
    (written,) = await publish_promises(distill, names, Codec(), [PROMISE])
    forged = replace(written, agreement=1.0)
    value = Codec().encode(forged, names.promises)
    await append(kafka, names.promises, key=promise_key(forged), value=value)
    assert await read_promises(consumer, names.promises, Codec()) == [written]
    assert await read_promises(kafka, names.promises, Codec()) == [forged]


async def test_what_stands_unsigned_is_signed_once_and_stays_as_it_was(
    kafka: KafkaSettings,
) -> None:
    names, key = TopicNames.of(kafka), new_key()
    distill = kafka.model_copy(update={"signing_key": SecretStr(key)})
    signatures = Signatures.of(distill)
    later = replace(PROMISE, audited=300)
    for one in (PROMISE, later, replace(PROMISE, label="PER")):
        await publish_promises(kafka, names, Codec(), [one])
    before = await read_promises(kafka, names.promises, Codec())
    assert await read_promises(distill, names.promises, Codec()) == []

    unsigned = await unsigned_records(distill, names.promises, signatures)
    assert len(unsigned) == 2  # of each key the newest
    await write_signed(distill, unsigned, signatures)
    after = await read_promises(distill, names.promises, Codec())
    assert sorted(map(repr, after)) == sorted(map(repr, before))
    assert await unsigned_records(distill, names.promises, signatures) == []
