"""The topic `teacher-answers`: what was answered once is read by all who would ask.

A record's key is the question's name, which its value repeats: a value under another key, one that
cannot be read, and one that no trusted key signed where silver labels must be signed, is as if it
were not there. Null under a key takes the answer out of every copy.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, contextmanager
from dataclasses import dataclass
from typing import get_args

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from schemas.errors import DecodeError, RetryError, TeacherStateError, TopicError
from schemas.question_keys import CHOSEN_AFTER, key_of_digest
from schemas.settings import KafkaSettings, Settings
from schemas.types import AskedAs, TeacherAnswer
from schemas.wire.codec import Codec, open_codec
from schemas.wire.keyed import answer_key, decode_keyed
from schemas.wire.topics import TopicNames
from stream.kafka import clients
from stream.kafka.lane.delivery import discard
from stream.kafka.lenient import get_leniently
from stream.kafka.signatures import Signatures, unverified
from stream.kafka.topic_logs import append, offset_spans, read_to_end

_APPEND_TIMEOUT_S = 15.0
_POLL_MS = 200
_PAGE_RECORDS = 500


@dataclass(frozen=True, slots=True)
class AnswerPage:
    """A `stream.teacher.shared_answers.Page`."""

    rows: Sequence[tuple[str, TeacherAnswer | None]]
    read_up_to: Mapping[int, int]
    caught_up: bool


def answer_log_of(settings: Settings) -> KafkaAnswerLog | None:
    """Give the topic where the settings share answers by it, otherwise None."""
    return KafkaAnswerLog(settings) if settings.teacher.answers_held_for == "cluster" else None


class KafkaAnswerLog:
    """A `stream.teacher.shared_answers.AnswerLog`; nothing is done before `open`.

    All that it raises is `TeacherStateError`, but for `ConfigError`, where the brokers refuse us.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._name = TopicNames.of(settings.kafka).teacher_answers
        self._signatures = answer_signatures(settings.kafka)
        self._stack = AsyncExitStack()
        self._connected: tuple[Codec, AIOKafkaProducer, AIOKafkaConsumer] | None = None
        self._ends: dict[TopicPartition, int] = {}
        self._turn = 0

    @property
    def topic(self) -> str:
        """The topic's name, at its brokers."""
        return f"{self._name} at {self._settings.kafka.bootstrap_servers}"

    async def open(self, read_up_to: Mapping[int, int]) -> None:
        """Connect, and read on; a partition that is shorter by now is read from its beginning."""
        kafka = self._settings.kafka
        with _explained(self._name):
            spans = await offset_spans(kafka, self._name)
            codec = await self._stack.enter_async_context(
                open_codec(self._settings.schema_registry)
            )
            await codec.prepare({self._name: TeacherAnswer})
            consumer = await clients.start_with_retry(
                lambda: clients.consumer(kafka),
                timeout_s=kafka.startup_timeout_s,
                servers=kafka.bootstrap_servers,
            )
            self._stack.push_async_callback(clients.stop, consumer)
            producer = await clients.start_with_retry(
                lambda: clients.producer(kafka),
                timeout_s=kafka.startup_timeout_s,
                servers=kafka.bootstrap_servers,
            )
            self._stack.push_async_callback(discard, producer)
            consumer.assign([TopicPartition(self._name, one) for one in spans])
            for one, (start, end) in spans.items():
                since = read_up_to.get(one, start)
                consumer.seek(
                    TopicPartition(self._name, one), since if start <= since <= end else start
                )
        self._ends = {TopicPartition(self._name, one): end for one, (_, end) in spans.items()}
        self._connected = codec, producer, consumer

    async def read(self) -> AnswerPage:
        """Give up to some hundred records, of one partition after the other."""
        codec, _, consumer = self._clients
        with _explained(self._name):
            where = self._next_partition()
            records = await get_leniently(
                consumer, where, timeout_ms=_POLL_MS, max_records=_PAGE_RECORDS
            )
            rows = await _decoded(codec, [*self._signatures.believed(records)])
            at = {one: await consumer.position(one) for one in self._ends}
        caught_up = all(at[one] >= end for one, end in self._ends.items())
        return AnswerPage(rows, {where.partition: at[where]} if records else {}, caught_up)

    async def append(self, answer: TeacherAnswer) -> None:
        """Write an answer; return when every in-sync replica has it."""
        codec, producer, _ = self._clients
        key, value = answer_key(answer), codec.encode(answer, self._name)
        headers = list(self._signatures.headers(self._name, key, value))
        with _explained(self._name):
            async with asyncio.timeout(_APPEND_TIMEOUT_S):
                await producer.send_and_wait(self._name, value, key, headers=headers)

    async def aclose(self) -> None:
        """Disconnect; what was not confirmed may be written or not."""
        self._connected = None
        await self._stack.aclose()

    def _next_partition(self) -> TopicPartition:
        partitions = sorted(self._ends)
        self._turn = (self._turn + 1) % len(partitions)
        return partitions[self._turn]

    @property
    def _clients(self) -> tuple[Codec, AIOKafkaProducer, AIOKafkaConsumer]:
        if self._connected is None:
            raise TeacherStateError(f"the topic {self._name} is not connected")
        return self._connected


def answer_signatures(kafka: KafkaSettings) -> Signatures:
    """Sign and verify as silver labels are: whoever may write these may write answers."""
    names = TopicNames.of(kafka)
    return Signatures.of(kafka).also(names.teacher_answers, like=names.silver_labels)


async def forget_answers(
    settings: Settings, codec: Codec, digests: Collection[str], *, dry_run: bool
) -> frozenset[str]:
    """Take the answers about the texts with these digests off the topic; name the questions.

    What is unsigned is found too, and what lies under the key of another question; null that no
    trusted key signed takes out nothing. Raises `TopicError` where there is no such topic, and
    `BrokerUnavailableError`.
    """
    topic = TopicNames.of(settings.kafka).teacher_answers
    signatures = answer_signatures(settings.kafka)
    found: set[bytes] = set()
    async with aclosing(read_to_end(unverified(settings.kafka), topic)) as records:
        async for record in records:
            if record.value is not None:
                if await _is_about(codec, record, digests):
                    found.add(record.key or b"")
            elif not signatures.fault(topic, record.key, None, record.headers):
                found.discard(record.key or b"")
    for key in () if dry_run else found:
        headers = signatures.headers(topic, key, None)
        await append(settings.kafka, topic, key=key, value=None, headers=headers)
    return frozenset(key.decode("ascii", "replace") for key in found)


async def _is_about(codec: Codec, record: ConsumerRecord, digests: Collection[str]) -> bool:
    await codec.resolve([record.value])
    try:
        answer = codec.decode(TeacherAnswer, record.value or b"")
    except DecodeError:
        return False
    return any(
        answer.question.partition(CHOSEN_AFTER)[0]
        == key_of_digest(
            digest,
            prompt_version=answer.prompt_version,
            model=answer.asked_model,
            endpoint=answer.endpoint,
            apart=answer.apart,
            asked=asked,
        )
        for digest, asked in itertools.product(digests, get_args(AskedAs))
    )


async def _decoded(
    codec: Codec, records: Sequence[ConsumerRecord]
) -> list[tuple[str, TeacherAnswer | None]]:
    """Read what makes sense: a key, and an answer to that very question or null."""
    await codec.resolve(record.value for record in records if record.value is not None)
    return [*_sound(codec, records)]


def _sound(
    codec: Codec, records: Sequence[ConsumerRecord]
) -> Iterator[tuple[str, TeacherAnswer | None]]:
    for record in records:
        key = (record.key or b"").decode("ascii", "replace")
        if record.value is None:
            yield key, None
            continue
        try:
            answer = decode_keyed(codec, TeacherAnswer, record.key, record.value)
        except DecodeError:
            continue
        yield key, answer


@contextmanager
def _explained(topic: str) -> Iterator[None]:
    try:
        yield
    except (KafkaError, OSError, TimeoutError, RetryError, TopicError) as error:
        reason = str(error) or type(error).__name__
        raise TeacherStateError(f"the topic {topic} cannot be used: {reason}") from error
