"""Time that stands still until someone sleeps, or until all do."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TypeVar, TypeVarTuple, Unpack

from schemas.retry import Backoff
from stream.teacher.retries import Clock

T = TypeVar("T")
Parts = TypeVarTuple("Parts")

NO_WAIT = Backoff(0.0, 0.0)
"""Give it to what retries: the next attempt comes at once."""


@dataclass
class FakeTime:
    """Give `clock` to what wants one; `slept_s` lists the waits that it asked for."""

    now_s: float = 1_700_000_000.0
    slept_s: list[float] = field(default_factory=list)

    @property
    def clock(self) -> Clock:
        """A clock that shows `now_s`, both as Unix time and as monotonic time."""
        return Clock(now=lambda: self.now_s, monotonic=lambda: self.now_s, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        """Move the time on at once."""
        self.slept_s.append(seconds)
        self.now_s += seconds


class FakeTimeLoop(asyncio.SelectorEventLoop):
    """An event loop for many that sleep side by side: when all do, its time leaps to the first.

    Nothing real can be waited for in it: no socket, no other thread.
    """

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(_LeapingSelector(self))

    @property
    def clock(self) -> Clock:
        """A clock that shows the loop's time, both as Unix time and as monotonic time."""
        return Clock(now=self.time, monotonic=self.time, sleep=asyncio.sleep)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._now_s

    def run_in_executor(
        self,
        executor: Executor | None,  # noqa: ARG002 - it stays unused
        func: Callable[[Unpack[Parts]], T],
        *args: *Parts,
    ) -> asyncio.Future[T]:
        """Run it at once: the time must not leap while another thread is at it."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whatever it was, it is raised where awaited
            future.set_exception(error)
        return future

    def leap(self, seconds: float) -> None:
        """Move the time on."""
        self._now_s += seconds


class _LeapingSelector(selectors.SelectSelector):
    def __init__(self, loop: FakeTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Let `timeout`, the time until the next one wakes, pass at once."""
        self._loop.leap(timeout or 0.0)
        return super().select(None if timeout is None else 0.0)
