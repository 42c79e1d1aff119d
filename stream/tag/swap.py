"""Hot swap: each promotion's student is loaded and warmed beside the old one, then takes over.

A bundle that does not load leaves the old student serving, counts a metric and
logs an alarm; it is tried again, since its files may be on their way. A worker that
has just started has no old student: it goes back through the history to the newest
one that loads, past students that were rolled back.

What a bundle does to who reads it is tried in a child process (`stream.student.proof`): one that
hangs or explodes costs a minute at most, and no worker. Meanwhile the next promotion is not kept
waiting: it is loaded beside it, and what arrived later wins, whichever is ready first.

A promotion whose audits are drawn with a key that is not held here raises the alarm too; a worker
that has just started ends with it, for it is set up wrongly.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count

import structlog
from tenacity import retry_if_result

from schemas.audit import AuditKeys
from schemas.errors import AuditKeyError, ConfigError
from schemas.files.bundle_store import BundleStore, open_bundle_store
from schemas.files.task import Task
from schemas.retry import Backoff, Streak, patiently
from schemas.settings import Settings
from schemas.types import Promotion
from schemas.wire.codec import open_codec
from schemas.wire.topics import TopicNames
from stream.kafka.promotions import current, fallbacks, history_lost, read_history
from stream.student.promoted import load_proved
from stream.tag.batcher import Serving
from stream.watch.metrics import Metrics

_log = structlog.get_logger()

_BACKOFF = Backoff(5.0, 60.0)

_Rank = tuple[int, int]


@dataclass(slots=True, kw_only=True)
class PromotionFollower:
    """Takes promotions into service; `install` makes a loaded student the one that serves."""

    load: Callable[[Promotion], Awaitable[Serving]]
    install: Callable[[Serving], None]
    metrics: Metrics
    backoff: Backoff = _BACKOFF
    """Between two tries of a student that did not load."""
    caught_up: bool = False
    """Whether the history has been read to its end once."""
    current: Promotion | None = None
    """The promotion whose student serves."""
    loaded: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a student serves."""
    missed: Promotion | None = field(init=False, default=None)
    """The newest promotion that did not load, unless a newer one serves."""
    _turns: Iterator[int] = field(init=False, default_factory=partial(count, 1))
    """In the order of arrival: a history that began anew has small sequence numbers again."""
    _serves: _Rank = field(init=False, default=(0, 0))
    """When what serves arrived, and its number in its history."""
    _missed: _Rank = field(init=False, default=(0, 0))
    """The same of `missed`."""

    async def catch_up(self, history: Sequence[Promotion]) -> None:
        """Take the newest promotion of the history whose student loads into service."""
        turn = self._next_turn()
        for promotion in fallbacks(history):
            if await self._follow(promotion, turn) or self._serves[0] > turn:
                break
        else:
            _log.warning("waiting_for_student", promotions=len(history))
        self.caught_up = True

    async def follow(self, promotion: Promotion) -> bool:
        """Swap to one promotion's student; return whether it serves now."""
        serves = await self._follow(promotion, self._next_turn())
        if serves:
            self.caught_up = True  # even where the history before still loads what hangs
        return serves

    async def retry_missed(self) -> None:
        """Try the newest promotion again and again while it does not load; ends when cancelled."""
        streak = Streak(self.backoff)

        async def try_missed() -> None:
            if await self._serves_what_it_missed():
                streak.reset()

        await patiently(try_missed, retry=retry_if_result(lambda _: True), wait=streak)

    async def _serves_what_it_missed(self) -> bool:
        return self.missed is None or await self._follow(self.missed, self._missed[0])

    def _next_turn(self) -> int:
        self.missed = None  # whatever its number: in a history that began anew that is small
        return next(self._turns)

    async def _follow(self, promotion: Promotion, turn: int) -> bool:
        started = time.perf_counter()
        rank = turn, promotion.sequence
        try:
            serving = await self.load(promotion)
        except Exception as error:  # whatever is wrong with it, the old one serves on
            self._alarm(promotion, error)
            if isinstance(error, AuditKeyError) and self.current is None:
                raise
            self._miss(promotion, rank)
            return False
        if rank < self._serves:
            _log.info("swap_superseded", student=promotion.student_version)
            return False
        if self.missed is not None and self._missed <= rank:
            self.missed = None
        self.install(serving)
        self._serves = rank
        self._installed(promotion, seconds=time.perf_counter() - started)
        return True

    def _miss(self, promotion: Promotion, rank: _Rank) -> None:
        """Remember the newest that did not load, unless what is newer serves."""
        if rank > self._serves and (self.missed is None or rank >= self._missed):
            self.missed, self._missed = promotion, rank

    def _installed(self, promotion: Promotion, *, seconds: float) -> None:
        self.current = promotion
        self.loaded.set()
        self.metrics.swaps.inc()
        self.metrics.serving(version=promotion.student_version, digest=promotion.digest)
        _log.info(
            "swapped",
            student=promotion.student_version,
            sequence=promotion.sequence,
            action=promotion.action,
            seconds=round(seconds, 3),
        )

    def _alarm(self, promotion: Promotion, error: Exception) -> None:
        self.metrics.swap_failures.inc()
        _log.error(
            "swap_failed",
            student=promotion.student_version,
            sequence=promotion.sequence,
            serving=self.current.student_version if self.current else None,
            error=type(error).__name__,
            message=str(error),
        )


async def newest_promotion(settings: Settings, task: str) -> Promotion:
    """Read which student is in service; `ConfigError` when the task has none yet."""
    topic = TopicNames.of(settings.kafka).promotions
    async with open_codec(settings.schema_registry) as codec:
        history = await read_history(settings.kafka, topic, codec, task)
    promotion = current(history)
    if promotion is None:
        store = open_bundle_store(settings.student)
        raise ConfigError(no_student(task, await asyncio.to_thread(store.versions, task)))
    return promotion


def no_student(task: str, versions: Sequence[str]) -> str:
    """Say why a task without a promotion has no student, by the versions that the store has."""
    if versions:
        return history_lost(task, versions[-1])
    return (
        f"task {task} has no student yet: run `silverstream bootstrap`, then "
        "`silverstream distill --force`"
    )


async def load_serving(
    store: BundleStore, task: Task, promotion: Promotion, *, keys: AuditKeys | None = None
) -> Serving:
    """Load and warm the student that a promotion names, raises as `load_proved`.

    Who draws audits gives its `keys`: `AuditKeyError` when the policy's is not among them.
    """
    if keys is not None:
        keys.require(promotion.policy)
        if promotion.policy.audit_share and not promotion.policy.audit_key_digest:
            _log.warning("audit_sample_public", sequence=promotion.sequence)
    student = await load_proved(store, task, promotion)
    return Serving(student, promotion.policy, promotion.policy_digest)
