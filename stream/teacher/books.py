"""The store, used from an event loop: in a thread of its own, and what it means when it is shut."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog

from schemas.errors import BudgetExhaustedError, ConfigError, TeacherStateError
from stream.teacher.ledger_and_cache import TeacherStore

T = TypeVar("T")

_log = structlog.get_logger()


class Books:
    """One store for all who ask in this event loop; closing these closes it."""

    def __init__(self, store: TeacherStore) -> None:
        self.store = store
        self.shut: TeacherStateError | None = None
        """Why the store cannot be written to, as far as the last try told."""
        # A foreign lock or a slow disk must not hold up the event loop.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="teacher-state")

    async def used(self, use: Callable[[], T], *, writes: bool = True) -> T:
        """Use the store. What can be read may still be shut for writing; raises as the store."""
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._thread, use)
        except TeacherStateError as error:
            if self.shut is None:
                _log.error("teacher_state_shut", error=str(error))
            self.shut = error
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
        """Close the store."""
        try:
            await self.used(self.store.close)
        finally:
            self._thread.shutdown(wait=False)
