from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from schemas.errors import ConfigError, SchemaRegistryUnavailableError, TopicError
from schemas.retry import Backoff
from schemas.settings import KafkaSettings, TopicSettings
from schemas.wire.codec import Codec
from schemas.wire.topics import TopicNames
from stream.kafka import clients
from stream.kafka.canaries import CanaryLog, FollowedCanaryLog
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.messages import Outgoing
from stream.kafka.signatures import new_key, public_key
from stream.kafka.topic_logs import append
from stream.kafka.topics import create_topics, specs
from stream.testing.messages import a_canary

_numbers = itertools.count()


@pytest.fixture
def kafka(embedded_broker: EmbeddedBroker) -> KafkaSettings:
    prefix = f"canaries-{next(_numbers)}."
    return KafkaSettings(
        bootstrap_servers=embedded_broker.bootstrap_servers,
        topic_prefix=prefix,
        text_topic=f"{prefix}text",
        startup_timeout_s=30,
    )


async def made(kafka: KafkaSettings) -> KafkaSettings:
    wanted = specs(TopicNames.of(kafka), TopicSettings(partitions=1))
    await create_topics(kafka, [spec for spec in wanted if spec.name.endswith("canaries")])
    return kafka


async def test_what_is_written_is_read_on_by_all_each_entry_once(kafka: KafkaSettings) -> None:
    log = CanaryLog(await made(kafka), "test", Codec())
    assert (await log.trust()).epoch.seen == []
    for at_ms in (1, 2):
        await log.write(a_canary(at_ms=at_ms))
    # Two timers of a worker share one log.
    await asyncio.gather(log.trust(), log.holds(), log.trust())
    assert [one.canary for one in (await log.trust()).epoch.seen] == [
        a_canary(at_ms=1),
        a_canary(at_ms=2),
    ]
    await log.write(a_canary(at_ms=3))
    assert len((await log.trust()).epoch.seen) == 3
    assert len((await CanaryLog(kafka, "test", Codec()).trust()).epoch.seen) == 3


class AwayCodec(Codec):
    """A codec whose registry is away at the questions of these numbers, from 1 on."""

    def __init__(self, *away: int) -> None:
        super().__init__()
        self._away, self._n = away, 0

    async def resolve(self, values: Iterable[bytes | None]) -> None:
        self._n += 1
        if self._n in self._away:
            raise SchemaRegistryUnavailableError("it answered 503")
        await super().resolve(values)


async def test_an_outage_of_the_schema_registry_loses_no_entry_and_doubles_none(
    kafka: KafkaSettings,
) -> None:
    writer = CanaryLog(await made(kafka), "test", Codec())
    for at_ms in (1, 2, 3):
        await writer.write(a_canary(at_ms=at_ms))
    log = CanaryLog(kafka, "test", AwayCodec(2))
    with pytest.raises(SchemaRegistryUnavailableError):
        await log.trust()
    assert [one.canary.at_ms for one in (await log.trust()).epoch.seen] == [1, 2, 3]


async def test_who_follows_waits_for_a_schema_registry_that_is_away(kafka: KafkaSettings) -> None:
    writer = CanaryLog(await made(kafka), "test", Codec())
    for at_ms in (1, 2):
        await writer.write(a_canary(at_ms=at_ms))

    async def deliver(outgoing: Outgoing, /, *, beside: int | None) -> None:
        raise AssertionError("nothing is written")

    codec = AwayCodec(1, 2, 4)
    log = FollowedCanaryLog(kafka, "test", codec, deliver=deliver, backoff=Backoff(0.0, 0.0))
    following = asyncio.create_task(log.follow())
    try:
        reading = asyncio.create_task(log.trust())
        await asyncio.wait({following, reading}, return_when=asyncio.FIRST_COMPLETED, timeout=30)
        assert not following.done()
        assert [one.canary.at_ms for one in (await reading).epoch.seen] == [1, 2]
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_other_tasks_garbage_and_times_to_come_do_no_harm(kafka: KafkaSettings) -> None:
    log = CanaryLog(await made(kafka), "test", Codec(), now_ms=lambda: 50)
    topic = TopicNames.of(kafka).canaries
    await append(kafka, topic, key=b"test", value=b"garbage")
    await append(kafka, topic, key=b"test", value=None)
    await append(kafka, topic, key=b"other", value=Codec().encode(a_canary(), topic))
    await append(kafka, topic, key=b"test", value=Codec().encode(a_canary(task="other"), topic))
    await log.write(a_canary(at_ms=10**15))
    with capture_logs() as logs:
        (seen,) = (await log.trust()).epoch.seen
    assert seen.canary.at_ms == 50
    assert [one["event"] for one in logs] == ["canary_unreadable"] * 2


async def test_where_keys_are_trusted_an_acceptance_that_none_signed_is_not_there(
    kafka: KafkaSettings,
) -> None:
    secret, accepts = new_key(), a_canary(kind="accept", at_ms=99, reason="a better model")
    reader = (await made(kafka)).model_copy(
        update={"trusted_keys": (public_key(secret), f"silver-labels:{public_key(new_key())}")}
    )
    async with clients.started(lambda: clients.producer(kafka), settings=kafka) as producer:
        for at in range(60):  # from some time on it refuses everything
            outcome = "answered" if at < 40 else "refused"
            entry = a_canary(text_digest=str(at % 3), at_ms=at, outcome=outcome)
            topic = TopicNames.of(kafka).canaries
            await producer.send_and_wait(topic, Codec().encode(entry, topic), b"test")
    await CanaryLog(kafka, "test", Codec()).write(accepts)  # a stranger's
    with pytest.raises(ConfigError, match="signing_key_file"):
        await CanaryLog(reader, "test", Codec()).write(accepts)
    assert [one.is_open for one in await CanaryLog(kafka, "test", Codec()).holds()] == [False]
    log = CanaryLog(reader, "test", Codec())
    assert [one.is_open for one in await log.holds()] == [True]
    person = reader.model_copy(update={"signing_key": SecretStr(secret)})
    await CanaryLog(person, "test", Codec()).write(accepts)
    assert [one.is_open for one in await log.holds()] == [False]


async def test_without_the_topic_nothing_is_held_back(kafka: KafkaSettings) -> None:
    log = CanaryLog(kafka, "test", Codec())
    assert await log.holds() == ()
    with pytest.raises(TopicError):
        await log.trust()


async def test_who_asks_all_the_time_reads_on_and_sees_what_it_wrote(kafka: KafkaSettings) -> None:
    await CanaryLog(await made(kafka), "test", Codec()).write(a_canary(at_ms=1))

    async def deliver(outgoing: Outgoing, /, *, beside: int | None) -> None:
        assert beside is None
        await append(kafka, outgoing.topic, key=outgoing.key, value=outgoing.value)

    log = FollowedCanaryLog(kafka, "test", Codec(), deliver=deliver)
    following = asyncio.create_task(log.follow())
    try:
        assert len((await log.trust()).epoch.seen) == 1
        await log.prepare()
        await log.write(a_canary(at_ms=2))
        assert [one.canary.at_ms for one in (await log.trust()).epoch.seen] == [1, 2]
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    others = await CanaryLog(kafka, "test", Codec()).trust()
    assert len(others.epoch.seen) == 2
