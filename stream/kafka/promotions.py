"""The promotion history: an append-only log in which the earliest entry of each number counts.

Entries are numbered from 1 per task. Two writers that append the same number at once (the
embedded broker has no transactions that could stop them) are told apart by the log's order: the
earlier entry counts, every reader passes over the later one, and its writer learns by reading
back that it lost. So all readers agree, whatever else stands in the topic. An entry that does not
fit what stands before it (`stream.kafka.promotion_fits`) is passed over in the same way.
"""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import aclosing
from dataclasses import replace
from typing import Final

import structlog
from aiokafka import ConsumerRecord
from tenacity import retry_if_exception_type

from schemas.clocks import LogClock
from schemas.errors import DecodeError, GateError, RetryError
from schemas.retry import Backoff, patiently
from schemas.settings import KafkaSettings
from schemas.types import Promotion
from schemas.wire.codec import Codec
from schemas.wire.keyed import decode_keyed, task_key
from stream.kafka.promotion_fits import misfit
from stream.kafka.resolving import BACKOFF, resolve_patiently
from stream.kafka.topic_logs import CaughtUp, append, follow, read_to_end

_log = structlog.get_logger(__name__)

Tell = Callable[..., object]
"""Logs an event, as a method of a logger does."""

BRING_BACK: Final = "bring a student back: `silverstream promote BUNDLE --reason TEXT`"


def history_lost(task: str, version: str) -> str:
    """Say that there is no promotion any more, though there was the student of this version."""
    return (
        f"the promotions topic has no entry of task {task}, though there is the student {version}: "
        f"it was emptied or made anew; {BRING_BACK}"
    )


def accepted(promotions: Iterable[Promotion], task: str) -> list[Promotion]:
    """Reduce what a log holds to the history of one task: each number's first entry, in order."""
    history: list[Promotion] = []
    for promotion in promotions:
        if continues(history, promotion, task):
            history.append(promotion)
    return history


def continues(history: Sequence[Promotion], promotion: Promotion, task: str) -> bool:
    """Whether this entry is the task's next one, and can be believed."""
    return _is_next(history, promotion, task) and not misfit(history, promotion)


def _is_next(history: Sequence[Promotion], promotion: Promotion, task: str) -> bool:
    return promotion.task == task and promotion.sequence == len(history) + 1


def current(history: Sequence[Promotion]) -> Promotion | None:
    """Find the entry that is in force; a rollback names the student that it returns to."""
    return history[-1] if history else None


def fallbacks(history: Sequence[Promotion]) -> Iterator[Promotion]:
    """Yield the promotions to try, newest first, without students that were rolled back since."""
    gone: set[str] = set()
    for promotion in reversed(history):
        if promotion.student_version not in gone:
            yield promotion
            # Tried: an older promotion of the same student will not load either.
            gone.add(promotion.student_version)
        if promotion.action == "rollback":
            gone.add(promotion.parent)


def at_believed_times(history: Iterable[Promotion], *, now_ms: int) -> list[Promotion]:
    """Date each entry that says it is of the future as the one before it; see `schemas.clocks`."""
    clock = LogClock(lambda: now_ms)
    return [replace(entry, promoted_at_ms=clock.believe(entry.promoted_at_ms)) for entry in history]


async def read_history(
    settings: KafkaSettings, topic: str, codec: Codec, task: str
) -> list[Promotion]:
    """Read the task's history, oldest first. Raises `BrokerUnavailableError`."""
    history: list[Promotion] = []
    async for record in read_to_end(settings, topic):
        await codec.resolve([record.value])
        # Who follows says so, once: this is read again and again.
        _take(history, record, codec, task, tell=_log.debug)
    return history


async def append_promotion(
    settings: KafkaSettings, topic: str, codec: Codec, promotion: Promotion
) -> None:
    """Append the task's next entry.

    Raises `GateError` when its number is not the next one, when it does not fit the history, or
    when another writer was faster: nothing has changed then but for an entry that every reader
    passes over.
    """
    history = await read_history(settings, topic, codec, promotion.task)
    if not _is_next(history, promotion, promotion.task):
        raise GateError(_lost(promotion, n_entries=len(history)))
    if why := misfit(history, promotion):
        raise GateError(f"cannot record promotion {promotion.sequence}: {why}")
    await codec.prepare({topic: Promotion})
    value = codec.encode(promotion, topic)
    await append(settings, topic, key=task_key(promotion), value=value)
    history = await read_history(settings, topic, codec, promotion.task)
    if history[promotion.sequence - 1 : promotion.sequence] != [promotion]:
        raise GateError(_lost(promotion, n_entries=len(history)))


async def follow_promotions(
    settings: KafkaSettings, topic: str, codec: Codec, task: str, *, backoff: Backoff = BACKOFF
) -> AsyncGenerator[list[Promotion]]:
    """Yield the whole history once, as soon as it is read, then each new entry alone.

    The first list may be empty: then there is no student yet. A schema registry or a broker that is
    away is asked again, with `backoff`, until it answers. Where the topic was emptied or made anew
    its new history is yielded whole, at its first entry: what was served goes on until then.
    """

    async def read() -> list[Promotion]:
        return await patiently(
            lambda: read_history(settings, topic, codec, task),
            retry=retry_if_exception_type(RetryError),
            wait=backoff,
        )

    async with aclosing(follow(settings, topic)) as items:
        async for entries in entries_of(items, codec, task, read=read, backoff=backoff):
            yield entries


async def entries_of(
    items: AsyncIterable[ConsumerRecord | CaughtUp],
    codec: Codec,
    task: str,
    *,
    read: Callable[[], Awaitable[list[Promotion]]],
    backoff: Backoff,
) -> AsyncGenerator[list[Promotion]]:
    """Read what `follow` gives of a promotions topic; see `follow_promotions`.

    `read` reads the topic as it is now.
    """
    history: list[Promotion] = []
    caught_up = False
    offset = -1
    async for item in items:
        if isinstance(item, CaughtUp):
            caught_up = True
            yield list(history)
            continue
        await resolve_patiently(codec, [item.value], backoff=backoff)
        anew, offset = item.offset <= offset, item.offset
        if anew or _contradicts(history, item, codec, task):
            now = await read()
            if now[: len(history)] != history:
                _log.error("promotions_lost", task=task, entries=len(history), advice=BRING_BACK)
                history[:] = now
                if caught_up and now:
                    yield now
                continue
        promotion = _take(history, item, codec, task, tell=_log.error)
        if promotion is not None and caught_up:
            yield [promotion]


def _contradicts(
    history: Sequence[Promotion], record: ConsumerRecord, codec: Codec, task: str
) -> bool:
    """Whether the entry has a number that another one has: a rival was late, or all begins anew."""
    entry = _promotion(record, codec, _log.debug)
    if entry is None or entry.task != task or not 0 < entry.sequence <= len(history):
        return False
    return entry != history[entry.sequence - 1]


def _take(
    history: list[Promotion], record: ConsumerRecord, codec: Codec, task: str, *, tell: Tell
) -> Promotion | None:
    """Add the entry to the history if it continues it, and give it; one of a rival is silent."""
    promotion = _promotion(record, codec, tell)
    if promotion is None or not _is_next(history, promotion, task):
        return None
    if why := misfit(history, promotion):
        tell("promotion_passed_over", offset=record.offset, why=why)
        return None
    history.append(promotion)
    return promotion


def _promotion(record: ConsumerRecord, codec: Codec, tell: Tell) -> Promotion | None:
    """Decode an entry; one that cannot be read is passed over."""
    if record.value is None:
        return None
    try:
        return decode_keyed(codec, Promotion, record.key, record.value)
    except DecodeError as error:
        tell("promotion_unreadable", offset=record.offset, error=str(error))
        return None


def _lost(promotion: Promotion, *, n_entries: int) -> str:
    return (
        f"cannot record promotion {promotion.sequence} of {promotion.task}: the history has "
        f"{n_entries} entries by now, so another promotion or rollback came first; try again"
    )
