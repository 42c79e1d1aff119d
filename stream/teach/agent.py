"""The agent that takes teacher requests batch by batch, and acknowledges what is delivered.

It is Faust's, because asking is slow, I/O-bound and idempotent by key.
It never lets Faust acknowledge for it: a batch is acknowledged, in order, when
every delivery of it has been confirmed. A batch that cannot be delivered ends
the process, for an agent that is started again would go on behind that batch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
from aiokafka import ConsumerRecord

_log = structlog.get_logger()

_FILL_S = 0.1
"""How long a batch waits for more requests; an answer takes longer than this."""
_BATCH_PER_CALL = 4
"""Requests of a batch for each that may be under way: the slowest holds up fewer."""


class InHand:
    """The batch that the agent has in hand: what probes and the drain ask of it."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._idle = asyncio.Event()
        self._idle.set()
        self._since_s = 0.0

    @property
    def busy_s(self) -> float | None:
        """Seconds that the batch under way has taken; None without one."""
        return None if self._idle.is_set() else self._clock() - self._since_s

    async def done(self, *, timeout_s: float) -> bool:
        """Wait for the batch under way, if there is one; false when it took too long."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Mark a batch as under way."""
        self._since_s = self._clock()
        self._idle.clear()
        try:
            yield
        finally:
            self._idle.set()


AnswerAll = Callable[[Sequence[ConsumerRecord[bytes, bytes]]], Awaitable[None]]
"""Returns when all results of these requests are delivered."""


def side_by_side(answer: Callable[[ConsumerRecord[bytes, bytes]], Awaitable[None]]) -> AnswerAll:
    """Answer all requests at once."""

    async def answer_all(records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
        await asyncio.gather(*map(answer, records))

    return answer_all


def live_take(concurrency: int) -> tuple[int, float]:
    """Tell how many requests are taken at a time, and for how long they are waited for."""
    return concurrency * _BATCH_PER_CALL, _FILL_S


async def teach_agent(
    stream: Any,
    answer: AnswerAll,
    *,
    take: tuple[int, float],
    in_hand: InHand,
    should_stop: Callable[[], bool],
    halt: Callable[[BaseException], None],
) -> None:
    """Run a Faust agent over the teacher requests.

    It takes so many requests at a time, within so many seconds, as `take` says. Where `answer`
    raises, `halt` is told, and the agent waits for the end of the process with its batch
    unacknowledged. Once `should_stop`, it takes no further batch.
    """
    most, within_s = take
    batches: AsyncIterable[Sequence[Any]] = stream.noack().noack_take(most, within=within_s)
    async for events in batches:
        if should_stop():
            await _for_ever()
        with in_hand.batch():
            delivered = await _answered(events, answer, halt)
            for event in events if delivered else ():
                await stream.ack(event)
        if not delivered:
            # Faust would start an agent that ends again, behind this batch.
            await _for_ever()


async def _answered(
    events: Sequence[Any],
    answer: AnswerAll,
    halt: Callable[[BaseException], None],
) -> bool:
    try:
        await answer([as_record(event.message) for event in events])
    except Exception as error:  # noqa: BLE001 - whatever it was, the process ends with it
        _log.exception("teach_undeliverable", requests=len(events))
        halt(error)
        return False
    return True


async def _for_ever() -> None:
    await asyncio.Event().wait()


def as_record(message: Any) -> ConsumerRecord[bytes, bytes]:
    """Turn Faust's message back into aiokafka's: Faust counts its time in seconds."""
    return ConsumerRecord(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        timestamp=round(message.timestamp * 1000),
        timestamp_type=message.timestamp_type,
        key=message.key,
        value=message.value,
        checksum=message.checksum,
        serialized_key_size=message.serialized_key_size,
        serialized_value_size=message.serialized_value_size,
        headers=tuple(message.headers or ()),
    )
