"""Hot swap: each promotion's student is loaded and warmed beside the old one, then takes over.

A bundle that does not load leaves the old student serving, counts a metric and
logs an alarm; it is tried again, since its files may be on their way. A worker that
has just started has no old student: it goes back through the history to the newest
one that loads, past students that were rolled back.

What a bundle does to who reads it is tried in a child process (`stream.student.proof`): one that
hangs or explodes costs a minute at most, and no worker.

A promotion whose audits are drawn with a key that is not held here raises the alarm too; a worker
that has just started ends with it, for it is set up wrongly.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

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
from stream.student.promoted import load_promoted
from stream.student.proof import prove
from stream.tag.batcher import Serving
from stream.watch.metrics import Metrics

_log = structlog.get_logger()

_BACKOFF = Backoff(5.0, 60.0)


@dataclass(slots=True, kw_only=True)
class PromotionFollower:
    """Takes promotions into service; `install` makes a loaded student the one that serves."""

    load: Callable[[Promotion], Serving]
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
    _one_at_a_time: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)

    async def catch_up(self, history: Sequence[Promotion]) -> None:
        """Take the newest promotion of the history whose student loads into service."""
        async with self._one_at_a_time:  # or what was missed could be followed by what is older
            self.missed = None
            for promotion in fallbacks(history):
                if await self._follow(promotion):
                    break
            else:
                _log.warning("waiting_for_student", promotions=len(history))
        self.caught_up = True

    async def follow(self, promotion: Promotion) -> bool:
        """Swap to one promotion's student; return whether it serves now."""
        async with self._one_at_a_time:
            self.missed = None  # whatever its number: in a history that began anew that is small
            return await self._follow(promotion)

    async def retry_missed(self) -> None:
        """Try the newest promotion again and again while it does not load; ends when cancelled."""
        streak = Streak(self.backoff)

        async def try_missed() -> None:
            if await self._serves_what_it_missed():
                streak.reset()

        await patiently(try_missed, retry=retry_if_result(lambda _: True), wait=streak)

    async def _serves_what_it_missed(self) -> bool:
        async with self._one_at_a_time:
            return self.missed is None or await self._follow(self.missed)

    async def _follow(self, promotion: Promotion) -> bool:
        started = time.perf_counter()
        try:
            serving = await asyncio.to_thread(self.load, promotion)
        except Exception as error:  # whatever is wrong with it, the old one serves on
            self._alarm(promotion, error)
            if isinstance(error, AuditKeyError) and self.current is None:
                raise
            if self.missed is None or promotion.sequence > self.missed.sequence:
                self.missed = promotion
            return False
        if self.missed is not None and self.missed.sequence <= promotion.sequence:
            self.missed = None
        self.install(serving)
        self._installed(promotion, seconds=time.perf_counter() - started)
        return True

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


def load_serving(
    store: BundleStore, task: Task, promotion: Promotion, *, keys: AuditKeys | None = None
) -> Serving:
    """Load and warm the student that a promotion names, once a child has done so in our place.

    Raises as `load_promoted`, and `BundleError` for what hangs, explodes or crashes (`prove`). Who
    draws audits gives its `keys`: `AuditKeyError` when the policy's is not among them.
    """
    if keys is not None:
        keys.require(promotion.policy)
        if promotion.policy.audit_share and not promotion.policy.audit_key_digest:
            _log.warning("audit_sample_public", sequence=promotion.sequence)
    prove(store.fetch(promotion.location, promotion.digest))
    student = load_promoted(store, task, promotion)
    return Serving(student, promotion.policy, promotion.policy_digest)
