"""The topic `teacher-spend` as a log that everybody reads and each holder adds to.

One partition, so that all see one order. Where the brokers have transactions the producer is
idempotent: a record is written once, in its place, or never. Elsewhere a record may be written
twice, the second time behind a newer one; readers go by the sequence numbers, and as nothing of the
last two days is compacted they see the newer one too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, contextmanager
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from schemas.errors import DecodeError, RetryError, TeacherStateError, TopicError
from schemas.settings import KafkaSettings, Settings
from schemas.types import TeacherSpend
from schemas.wire.codec import Codec, open_codec
from schemas.wire.keyed import decode_keyed, spend_key
from schemas.wire.topics import TopicNames
from stream.kafka import clients
from stream.kafka.lane.delivery import discard
from stream.kafka.topic_logs import append, read_to_end
from stream.kafka.topics import TopicSpec, check_topics, specs

Client = TypeVar("Client", bound=clients.Startable)

_APPEND_TIMEOUT_S = 15.0
_POLL_MS = 200


def spend_log_of(settings: Settings) -> KafkaSpendLog | None:
    """Give the topic where the settings' budget holds for all who share it, otherwise None."""
    return KafkaSpendLog(settings) if settings.teacher.budget_holds_for == "cluster" else None


class KafkaSpendLog:
    """A `stream.teacher.shared_topic.SpendLog`; nothing is done before `open`.

    All that it raises is `TeacherStateError`, a topic that is missing and a record that cannot be
    read included, but for `ConfigError`, where the brokers refuse us.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = TopicNames.of(settings.kafka).teacher_spend
        self._where = TopicPartition(self._topic, 0)
        self._stack = AsyncExitStack()
        self._connected: tuple[Codec, AIOKafkaProducer, AIOKafkaConsumer] | None = None

    async def open(self) -> None:
        """Check the topic, connect, and begin to read at the beginning."""
        kafka = self._settings.kafka
        with _explained(self._topic):
            await check_topics(kafka, [spend_spec(self._settings)])
            codec = await self._stack.enter_async_context(
                open_codec(self._settings.schema_registry)
            )
            await codec.prepare({self._topic: TeacherSpend})
            consumer = await self._started(lambda: clients.consumer(kafka))
            self._stack.push_async_callback(clients.stop, consumer)
            producer = await self._started(lambda: _producer(kafka))
            self._stack.push_async_callback(discard, producer)
            consumer.assign([self._where])
            await consumer.seek_to_beginning(self._where)
        self._connected = codec, producer, consumer

    async def append(self, row: TeacherSpend) -> None:
        """Write a record; return when every in-sync replica has it."""
        codec, producer, _ = self._clients
        with _explained(self._topic):
            async with asyncio.timeout(_APPEND_TIMEOUT_S):
                await producer.send_and_wait(
                    self._topic, codec.encode(row, self._topic), spend_key(row), partition=0
                )

    async def read(self) -> Sequence[TeacherSpend]:
        """Give what comes next; nothing is passed over, for it could say that money is spent."""
        codec, _, consumer = self._clients
        with _explained(self._topic):
            records = (await consumer.getmany(self._where, timeout_ms=_POLL_MS)).get(
                self._where, []
            )
            return await _decoded(codec, records)

    async def aclose(self) -> None:
        """Disconnect; what was not confirmed may be written or not."""
        self._connected = None
        await self._stack.aclose()

    @property
    def _clients(self) -> tuple[Codec, AIOKafkaProducer, AIOKafkaConsumer]:
        if self._connected is None:
            raise TeacherStateError(f"the topic {self._topic} is not connected")
        return self._connected

    async def _started(self, make: Callable[[], Client]) -> Client:
        kafka = self._settings.kafka
        return await clients.start_with_retry(
            make, timeout_s=kafka.startup_timeout_s, servers=kafka.bootstrap_servers
        )


async def read_spend(settings: Settings, codec: Codec) -> list[TeacherSpend]:
    """Read all that the topic holds, in its order.

    Raises `TopicError` and `BrokerUnavailableError` as `read_to_end`, `DecodeError` for a record
    that cannot be read.
    """
    records = read_to_end(settings.kafka, TopicNames.of(settings.kafka).teacher_spend)
    async with aclosing(records):
        return await _decoded(codec, [record async for record in records])


async def open_spend(settings: Settings, codec: Codec, row: TeacherSpend) -> None:
    """Write the record that opens the topic."""
    topic = TopicNames.of(settings.kafka).teacher_spend
    await codec.prepare({topic: TeacherSpend})
    await append(settings.kafka, topic, key=spend_key(row), value=codec.encode(row, topic))


def spend_spec(settings: Settings) -> TopicSpec:
    """Say what the topic must be."""
    names = TopicNames.of(settings.kafka)
    return next(one for one in specs(names, settings.topics) if one.name == names.teacher_spend)


async def _decoded(codec: Codec, records: Sequence[ConsumerRecord]) -> list[TeacherSpend]:
    await codec.resolve(record.value for record in records)
    found = []
    for record in records:
        try:
            found.append(decode_keyed(codec, TeacherSpend, record.key, record.value or b""))
        except DecodeError as error:
            where = f"{record.topic}, offset {record.offset}"
            raise DecodeError(f"{where}: {error}") from None
    return found


def _producer(kafka: KafkaSettings) -> AIOKafkaProducer:
    if kafka.delivery == "exactly_once":
        return clients.idempotent_producer(kafka)
    return clients.producer(kafka)


@contextmanager
def _explained(topic: str) -> Iterator[None]:
    try:
        yield
    except (KafkaError, OSError, TimeoutError, RetryError, TopicError, DecodeError) as error:
        reason = str(error) or type(error).__name__
        raise TeacherStateError(
            f"the topic {topic} cannot be used, so that nothing is spent: {reason}"
        ) from error
