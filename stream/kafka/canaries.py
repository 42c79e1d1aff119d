"""The topic `canaries`: what the teacher said of them, and what people made of it; one history."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial

import structlog
from aiokafka import ConsumerRecord

from schemas.canaries.holds import Hold
from schemas.canaries.trust import TeacherTrust
from schemas.clocks import now_ms
from schemas.errors import ConfigError, DecodeError, TopicError
from schemas.retry import Backoff
from schemas.settings import KafkaSettings
from schemas.types import Canary
from schemas.wire.codec import Codec
from schemas.wire.keyed import decode_keyed, task_key
from schemas.wire.topics import TopicNames
from stream.kafka.messages import Deliver, Outgoing
from stream.kafka.resolving import BACKOFF, resolve_patiently
from stream.kafka.signatures import Signatures
from stream.kafka.topic_logs import CaughtUp, append, end_offsets, follow, read_since

_log = structlog.get_logger(__name__)

_MOST = 20_000
_SEEN_TIMEOUT_S = 10.0
"""How long an entry may take to come back; whoever writes the next without it asks a text twice."""


def acceptance_signatures(settings: KafkaSettings) -> Signatures:
    """Sign and verify acceptances as promotions are: whoever may promote may accept a teacher."""
    names = TopicNames.of(settings)
    return Signatures.of(settings).also(names.canaries, like=names.promotions)


class _History:
    """What the entries of one task say, taken in the topic's order.

    Where keys are trusted an acceptance that none of them signed is as if it were not there; what
    the teacher said is no more than a doubt, and counts unsigned. `resolve` makes schemas known to
    the codec; without it the codec asks its registry once.
    """

    def __init__(
        self,
        task: str,
        codec: Codec,
        now_ms: Callable[[], int],
        *,
        signatures: Signatures,
        resolve: Callable[[Sequence[bytes]], Awaitable[None]] | None = None,
    ) -> None:
        self.trust = TeacherTrust()
        self._task, self._codec, self._now_ms = task, codec, now_ms
        self._signatures = signatures
        self._resolve = resolve or codec.resolve

    async def take(self, records: Sequence[ConsumerRecord]) -> None:
        """Take all of them, or none where the schema registry does not answer."""
        entries = [await self._entry(record) for record in records]
        self.trust.take_all(entry for entry in entries if entry is not None)

    async def _entry(self, record: ConsumerRecord) -> Canary | None:
        if record.key != self._task.encode() or record.value is None:
            return None
        try:
            await self._resolve([record.value])
            entry = decode_keyed(self._codec, Canary, record.key, record.value)
        except DecodeError as error:
            _log.warning("canary_unreadable", offset=record.offset, error=str(error))
            return None
        if entry.kind == "accept" and not [*self._signatures.believed([record])]:
            return None
        # What a clock that is ahead dates later is of now.
        return replace(entry, at_ms=min(entry.at_ms, self._now_ms()))


class CanaryLog:
    """The history of one task's canaries; each call connects, and reads on from the last look.

    Each raises `BrokerUnavailableError`, `SchemaRegistryUnavailableError`, and `TopicError` where
    the topic is missing. What could not be read is read by the next call.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        task: str,
        codec: Codec,
        *,
        now_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._settings, self._task, self._codec = settings, task, codec
        self._topic = TopicNames.of(settings).canaries
        self._now_ms = now_ms
        self._signatures = acceptance_signatures(settings)
        self._history = self._new_history()
        self._offsets: dict[int, int] = {}
        self._reading = asyncio.Lock()

    async def trust(self) -> TeacherTrust:
        """Read to the end; give what the whole history says. The value changes with each call."""
        async with self._reading:  # two who read at once would take what is new twice
            return await self._read()

    async def holds(self) -> tuple[Hold, ...]:
        """Tell which labels are held back; none where nobody ever made the topic."""
        try:
            return (await self.trust()).holds
        except TopicError as error:
            _log.debug("canaries_unread", error=str(error))
            return ()

    async def write(self, canary: Canary) -> None:
        """Append an entry; `ConfigError` where it must be signed and no key of ours would do."""
        await self._codec.prepare({self._topic: Canary})
        key, value = task_key(canary), self._codec.encode(canary, self._topic)
        headers = self._signatures.headers(self._topic, key, value)
        if canary.kind == "accept" and self._signatures.fault(self._topic, key, value, headers):
            raise ConfigError(
                "kafka.trusted_keys are set, and to accept a teacher takes a key that they trust "
                "on promotions: kafka.signing_key_file"
            )
        await append(self._settings, self._topic, key=key, value=value, headers=headers)

    def _new_history(self) -> _History:
        return _History(self._task, self._codec, self._now_ms, signatures=self._signatures)

    async def _read(self) -> TeacherTrust:
        ends = await end_offsets(self._settings, self._topic)
        if any(end < self._offsets.get(partition, 0) for partition, end in ends.items()):
            _log.warning("canaries_lost", topic=self._topic)  # emptied, or made anew
            self._history = self._new_history()
            self._offsets = {}
        while any(end > self._offsets.get(partition, 0) for partition, end in ends.items()):
            records, offsets = await read_since(
                self._settings, self._topic, self._offsets, most=_MOST
            )
            await self._history.take(records)
            self._offsets = offsets
        return self._history.trust


class FollowedCanaryLog:
    """The same for who asks all the time: `follow` runs beside, and writes go through `deliver`.

    `backoff` is how a schema registry that is away is asked again while following.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        task: str,
        codec: Codec,
        *,
        deliver: Deliver,
        now_ms: Callable[[], int] = now_ms,
        backoff: Backoff = BACKOFF,
    ) -> None:
        self._settings, self._task, self._codec = settings, task, codec
        self._topic = TopicNames.of(settings).canaries
        self._deliver = deliver
        resolve = partial(resolve_patiently, codec, backoff=backoff)
        signatures = acceptance_signatures(settings)
        self._history = _History(task, codec, now_ms, signatures=signatures, resolve=resolve)
        self._n_read = 0
        self._moved = asyncio.Condition()
        self._caught_up = asyncio.Event()

    async def follow(self) -> None:
        """Read the topic from its beginning, then what comes, until it is cancelled."""
        async with aclosing(follow(self._settings, self._topic)) as items:
            async for item in items:
                if isinstance(item, CaughtUp):
                    self._caught_up.set()
                    continue
                await self._history.take([item])
                async with self._moved:
                    self._n_read += 1
                    self._moved.notify_all()

    async def trust(self) -> TeacherTrust:
        """Tell what has been read, once all is that was there at the start."""
        await self._caught_up.wait()
        return self._history.trust

    async def prepare(self) -> None:
        """Make ready to `write`; raises `SchemaRegistryUnavailableError`."""
        await self._codec.prepare({self._topic: Canary})

    async def write(self, canary: Canary) -> None:
        """Deliver an entry, once `prepare` is done, and wait until it was read."""
        value = self._codec.encode(canary, self._topic)
        n_read = self._n_read
        await self._deliver(Outgoing(self._topic, value, key=task_key(canary)), beside=None)
        try:
            async with asyncio.timeout(_SEEN_TIMEOUT_S), self._moved:
                await self._moved.wait_for(lambda: self._n_read > n_read)
        except TimeoutError:
            _log.warning("canary_unseen")
