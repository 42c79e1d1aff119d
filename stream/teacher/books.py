"""The store, used from an event loop: in a thread of its own, and what it means when it is shut."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import structlog

from schemas.errors import BudgetExhaustedError, ConfigError, TeacherStateError
from schemas.settings import TeacherSettings
from schemas.types import TeacherAnswer
from stream.teacher.answer_rows import CachedAnswer
from stream.teacher.completions import Usage
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.retries import Clock
from stream.teacher.shared_answers import AnswerLog, SharedAnswers
from stream.teacher.shared_budget import Claim, SharedBudget
from stream.teacher.shared_spend import Amount, limits_of, nano
from stream.teacher.shared_topic import Ledger, SpendLog
from stream.teacher.spending import Cause

T = TypeVar("T")

_log = structlog.get_logger()


class Books:
    """One store for all who ask in this event loop; closing these closes it.

    With `spend_log` the settings' budget holds for all who share that log, besides, and with
    `answer_log` answers are taken from all who share that one.
    Raises `ConfigError` where the settings want the first and there is no log.
    """

    def __init__(
        self,
        store: TeacherStore,
        settings: TeacherSettings,
        *,
        spend_log: SpendLog | None = None,
        answer_log: AnswerLog | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.store = store
        self._shared: SharedBudget | None = None
        if settings.budget_holds_for == "cluster":
            if spend_log is None:
                raise ConfigError("teacher.budget_holds_for is cluster, and nobody gave the topic")
            self._shared = SharedBudget(
                spend_log,
                limits_of(settings),
                read_ledger=self._ledger,
            )
        self.shut: TeacherStateError | None = None
        """Why the store cannot be written to, as far as the last try told."""
        self._answers = (
            SharedAnswers(answer_log, store, self.used, clock=clock or Clock())
            if answer_log
            else None
        )
        # A foreign lock or a slow disk must not hold up the event loop.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="teacher-state")

    async def claimed(self, cause: Cause, *, hour: str, most: Amount) -> Claim | None:
        """Reserve for a call with all who share the budget; None where nobody else does.

        Raises as `SharedBudget.claim`.
        """
        if self._shared is None:
            return None
        try:
            claim = await self._shared.claim(cause, hour=hour, most=most)
        except TeacherStateError as error:
            self._tell_shut(error)
            raise
        self.shut = None
        return claim

    def settled(self, claim: Claim | None, usage: Usage, usd: float) -> None:
        """Book what a call did take with all who share the budget."""
        if self._shared is not None and claim is not None:
            self._shared.settle(claim, usage, nano_usd=nano(usd))

    def released(self, claim: Claim | None) -> None:
        """Give back what was claimed for a call that cost nothing."""
        if self._shared is not None and claim is not None:
            self._shared.release(claim)

    async def cached(self, key: str, *, endpoint: str, old_key: str) -> CachedAnswer | None:
        """Look for an answer here, and among those that are shared; raises as the store."""
        if self._answers is not None:
            await self._answers.joined()
        look = partial(self.store.cached_at, key, endpoint=endpoint, old_key=old_key)
        return await self.used(look, writes=False)

    async def remember(self, answer: TeacherAnswer) -> None:
        """Keep an answer, and tell those who share it."""
        told = CachedAnswer(answer.model, answer.facts)
        shared = self._answers is not None
        remember = partial(
            self.store.remember, answer.question, told, endpoint=answer.endpoint, shared=shared
        )
        await self.kept(remember)
        if self._answers is not None:
            await self._answers.tell(answer)

    async def used(self, use: Callable[[], T], *, writes: bool = True) -> T:
        """Use the store. What can be read may still be shut for writing; raises as the store."""
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._thread, use)
        except TeacherStateError as error:
            self._tell_shut(error)
            raise
        except BudgetExhaustedError:
            self.shut = None
            raise
        if writes:
            self.shut = None
        return result

    async def kept(self, use: Callable[[], None]) -> None:
        """Write what an answer leaves behind; it was paid for, so that it counts unwritten too.

        A reservation that is not redeemed stands: the budget is never overdrawn for it.
        """
        try:
            await self.used(use)
        except (TeacherStateError, ConfigError) as error:
            _log.warning("teacher_state_unwritten", error=str(error))

    async def aclose(self) -> None:
        """Tell the others what was spent, and close the store."""
        try:
            if self._answers is not None:
                await self._answers.aclose()
            if self._shared is not None:
                await self._shared.aclose()
        finally:
            try:
                await self.used(self.store.close)
            finally:
                self._thread.shutdown(wait=False)

    async def _ledger(self) -> Ledger:
        name = await self.used(self.store.name)
        return Ledger(name, await self.used(self.store.spendings, writes=False))

    def _tell_shut(self, error: TeacherStateError) -> None:
        if self.shut is None:
            _log.error("teacher_state_shut", error=str(error))
        self.shut = error
