"""The access rules of docs/operating.md, on an Apache Kafka with TLS, SCRAM and an authorizer."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its stubs export none of these
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from distill.labels.bootstrap import label_writer
from distill.labels.journal import KafkaJournal
from schemas.errors import DecodeError, SilverstreamError
from schemas.files.task import LabelSpec, Task
from schemas.settings import KafkaSettings, Settings, TopicSettings
from schemas.types import TeacherAnswer, TeacherSpend
from schemas.wire.codec import Codec
from stream.kafka import clients
from stream.kafka.answer_log import KafkaAnswerLog
from stream.kafka.canaries import CanaryLog, FollowedCanaryLog
from stream.kafka.lane.worker import LaneWorker
from stream.kafka.messages import Failed, Outgoing
from stream.kafka.patient_delivery import PatientDelivery
from stream.kafka.promotions import follow_promotions
from stream.kafka.spend_log import KafkaSpendLog
from stream.kafka.topic_logs import append
from stream.kafka.topics import TopicSpec, check_topics, create_topics
from stream.teach.canary_texts import LabelledTexts
from stream.testing.apache_kafka import ApacheKafka, Secured, kafka_libs
from stream.testing.certificates import certificate_of_loopback
from stream.testing.lanes import RememberingObserver, running, until
from stream.testing.messages import a_canary, a_label, a_promise, a_promotion
from tests.integration.access_rules import APP, RIGHTS, TOPICS, USERS, Place, rules

pytestmark = pytest.mark.kafka
TASK = Task("test", "en", (LabelSpec("PER"),))
_numbers = itertools.count()
_ANY: Any = None  # the stubs want a name
_ALL_RULES = AclBindingFilter(
    ResourceType.ANY,
    _ANY,
    ResourcePatternType.ANY,
    _ANY,
    _ANY,
    AclOperation.ANY,
    AclPermissionType.ANY,
)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ApacheKafka, Path]]:
    """A broker that knows the users, and the certificate that they trust."""
    if kafka_libs() is None:
        pytest.skip("Apache Kafka's jars or a Java >= 17 are not there (run: make kafka)")
    keystore, certificate = certificate_of_loopback(tmp_path_factory.mktemp("certificates"))
    users = {user: f"password of {user}" for user in USERS}
    with ApacheKafka(secured=Secured(keystore, users)) as broker:
        yield broker, certificate


@pytest.fixture
async def place(secured: tuple[ApacheKafka, Path]) -> Place:
    broker, certificate = secured
    place = Place(broker, certificate, prefix=f"acls-{next(_numbers)}.")
    everything = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
    await create_topics(everything, place.specs)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    wanted = {*rules(place)}
    made = admin.create_acls([*wanted]).values()
    await asyncio.to_thread(lambda: [done.result(timeout=60) for done in made])

    async def in_force() -> bool:  # the controller has them before the broker does
        found = admin.describe_acls(_ALL_RULES)
        return wanted <= {*await asyncio.to_thread(found.result, timeout=60)}

    await until(in_force)
    return place


def test_the_table_names_all_users_and_topics() -> None:
    assert tuple(RIGHTS) == USERS
    assert all(set(TOPICS) < set(columns) for columns in RIGHTS.values())


async def _tag(place: Place) -> None:
    """Do as a tag worker does: check, follow the promotions, and run lanes exactly once."""
    kafka, names = place.kafka("tag"), place.names
    await check_topics(kafka, place.specs)
    await clients.check_transactions(kafka, transactional_id=f"{APP}-probe")
    async with aclosing(follow_promotions(kafka, names.promotions, Codec(), "test")) as entries:
        assert await anext(entries) == []

    async def process(
        records: Sequence[ConsumerRecord[bytes, bytes]],
    ) -> list[Sequence[Outgoing] | Failed]:
        return [
            Failed(DecodeError("bad"))
            if record.value == b"bad"
            else [
                Outgoing(names.entities, b"event", key=None),
                Outgoing(names.teacher_requests, b"request", key=None),
            ]
            for record in records
        ]

    observer = RememberingObserver()
    worker = LaneWorker(
        kafka,
        group_id=APP,
        transactional_prefix=APP,
        make_processor=lambda _: process,
        dead_letter_topic=names.dead_letters,
        outputs=(names.entities, names.teacher_requests),
        observer=observer,
    )
    async with running(worker) as task:
        await until(lambda: observer.records == 2 or task.done(), deadline_s=120)
    assert not observer.errors


async def _teach(place: Place) -> None:
    """Do as a teach worker does: read requests in its group and promotions, share, write."""
    kafka, names = place.kafka("teach"), place.names
    await check_topics(kafka, place.specs)
    async with aclosing(follow_promotions(kafka, names.promotions, Codec(), "test")) as entries:
        assert await anext(entries) == []
    assert await _read_in_group(kafka, names.teacher_requests, f"{APP}-teach") == b"request"
    delivery = PatientDelivery(
        await clients.start_with_retry(
            lambda: clients.producer(kafka), timeout_s=20, servers=kafka.bootstrap_servers
        )
    )
    for topic in (names.silver_labels, names.entities, names.dead_letters):
        await delivery(Outgoing(topic, b"written by teach", key=b"other"), beside=None)
    assert await LabelledTexts(kafka, TASK, Codec()).choose([]) is None  # too few, but read
    await _ask_a_canary(kafka, delivery)
    await delivery.close()
    assert await _share(place, "teach") == (["teach"], ["teach"])


async def _ask_a_canary(kafka: KafkaSettings, delivery: PatientDelivery) -> None:
    log = FollowedCanaryLog(kafka, "test", Codec(), deliver=delivery)
    following = asyncio.create_task(log.follow())
    await log.prepare()
    await log.write(a_canary())
    assert (await log.trust()).teacher == a_canary().teacher
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following


async def _share(place: Place, user: str) -> tuple[list[str], list[str]]:
    """Book in the shared budget and share an answer; tell who is in either topic by then."""
    settings = Settings(kafka=place.kafka(user), topics=TopicSettings(partitions=1, replication=1))
    spending, answering = KafkaSpendLog(settings), KafkaAnswerLog(settings)
    spent, answered = list[str](), list[str]()
    await spending.open()
    await answering.open({})
    await spending.append(TeacherSpend("2026-11-26T17", "test", "stream", user, sequence=1))
    await answering.append(TeacherAnswer(user, "p", "gpt", "http://teacher/v1"))
    async with asyncio.timeout(60):
        while user not in spent or user not in answered:
            spent += [row.holder for row in await spending.read()]
            answered += [question for question, _ in (await answering.read()).rows]
    await spending.aclose()
    await answering.aclose()
    return spent, answered


async def _read_in_group(kafka: KafkaSettings, topic: str, group: str) -> bytes | None:
    consumer = clients.consumer(kafka, group_id=group)
    consumer.subscribe([topic])
    try:
        await consumer.start()
        record = await asyncio.wait_for(consumer.getone(), 20)
        await consumer.commit()
        value: bytes | None = record.value
        return value
    finally:
        await clients.stop(consumer)


async def _distill(place: Place) -> None:
    """Do as a round does: read labels, texts, history and canaries, ask, promote, promise."""
    settings = Settings(kafka=place.kafka("distill"))
    await check_topics(settings.kafka, place.specs)
    journal, promotion = KafkaJournal(settings, TASK), a_promotion(task="test")
    async with label_writer(settings) as deliver:
        await deliver(a_label(task_digest=TASK.digest))
    assert [one.text for one in await asyncio.to_thread(journal.labels)] == [a_label().text]
    assert await asyncio.to_thread(journal.newest_texts, 5) == ["Ada sings", "bad"]
    assert await asyncio.to_thread(journal.text_spans) == {0: (0, 2)}
    await asyncio.to_thread(journal.record, promotion)
    assert await asyncio.to_thread(journal.history) == [promotion]
    await asyncio.to_thread(journal.publish, [a_promise()])
    canaries = CanaryLog(settings.kafka, "test", Codec())
    assert (await canaries.trust()).teacher == a_canary().teacher
    assert await _share(place, "distill") == (["teach", "distill"], ["teach", "distill"])


async def test_each_role_does_its_work_with_the_rights_of_the_table(place: Place) -> None:
    producer, names = place.kafka("producer"), place.names
    for text in (b"Ada sings", b"bad"):
        await append(producer, names.text, key=None, value=text)
    await _tag(place)
    await _teach(place)
    await _distill(place)
    consumer = place.kafka("consumer")
    assert await _read_in_group(consumer, names.entities, "shop") == b"event"
    assert await _read_in_group(consumer, names.promises, "shop")
    # Dead letters too were written: by the lane, and by teach.
    everything = KafkaSettings(bootstrap_servers=place.broker.bootstrap_servers)
    assert await _has_records(everything, names.dead_letters)


async def _has_records(kafka: KafkaSettings, topic: str) -> bool:
    consumer = clients.consumer(kafka)
    async with _started(consumer):
        return await _gets_one(consumer, topic)


class _started:  # noqa: N801  # reads as what it is
    def __init__(self, client: AIOKafkaConsumer) -> None:
        self._client = client

    async def __aenter__(self) -> None:
        await self._client.start()

    async def __aexit__(self, *_: object) -> None:
        await clients.stop(self._client)


async def _gets_one(consumer: AIOKafkaConsumer, topic: str, *, wait_ms: int = 5000) -> bool:
    where = TopicPartition(topic, 0)
    try:
        consumer.assign([where])
        consumer.seek(where, 0)
        return bool(await consumer.getmany(where, timeout_ms=wait_ms))
    except TopicAuthorizationFailedError:
        return False


async def _may_read(place: Place, user: str) -> set[str]:
    consumer = clients.consumer(place.kafka(user))
    async with _started(consumer):
        # Of a topic that it may not even see a client hears nothing: not worth a long wait.
        waits = {x: 5000 if "read" in RIGHTS[user][x] else 800 for x in TOPICS}
        return {
            x
            for x, wait in waits.items()
            if await _gets_one(consumer, place.topic(x), wait_ms=wait)
        }


async def _may_write(place: Place, user: str) -> set[str]:
    found = set()
    async with clients.started(
        lambda: clients.producer(place.kafka(user)), settings=place.kafka(user)
    ) as writer:
        for column in TOPICS:
            with suppress(TopicAuthorizationFailedError):
                await writer.send_and_wait(place.topic(column), b"x", b"k", partition=0)
                found.add(column)
    return found


async def test_nobody_may_do_what_is_not_in_the_table(place: Place) -> None:
    everything = KafkaSettings(bootstrap_servers=place.broker.bootstrap_servers)
    for column in TOPICS:  # there must be something to be read
        await append(everything, place.topic(column), key=b"k", value=b"x")
    written = await asyncio.gather(*(_may_write(place, user) for user in USERS))
    read = await asyncio.gather(*(_may_read(place, user) for user in USERS))
    for user, topics, readable in zip(USERS, written, read, strict=True):
        columns = RIGHTS[user]
        assert topics == {x for x in TOPICS if "write" in columns[x]}, user
        assert readable == {x for x in TOPICS if "read" in columns[x]}, user


async def test_nobody_takes_part_in_anothers_group_or_takes_over_its_lanes(place: Place) -> None:
    names = place.names
    for user, topic, group in (
        ("teach", names.teacher_requests, APP),
        ("tag", names.text, f"{APP}-teach"),
        ("distill", names.text, APP),
        ("consumer", names.entities, APP),
    ):
        with pytest.raises(GroupAuthorizationFailedError):
            await _read_in_group(place.kafka(user), topic, group)
    for user in ("teach", "distill", "producer", "consumer"):
        with pytest.raises(SilverstreamError):
            await clients.check_transactions(
                place.kafka(user).model_copy(update={"startup_timeout_s": 2.0}),
                transactional_id=f"{APP}-text-0",
            )


async def test_nobody_makes_topics(place: Place) -> None:
    made = TopicSpec("silverstream.more", 1, 1)
    for user in USERS:
        with pytest.raises((SilverstreamError, KafkaError)):
            await create_topics(place.kafka(user), [made])


async def test_a_wrong_password_is_no_user(place: Place) -> None:
    wrong = place.kafka("tag", password="another").model_copy(update={"startup_timeout_s": 2.0})
    with pytest.raises(SilverstreamError):
        await check_topics(wrong, place.specs)
