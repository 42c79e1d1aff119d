"""`silverstream` commands as child processes: their logs, how they died, their end.

They end when we do, also on Ctrl-C and when we are killed (`stream.kafka.local.child_process`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import psutil

from schemas.errors import ChildDiedError, HaltError
from stream.kafka.local.child_process import ChildProcess

T = TypeVar("T")

POLL_S = 0.1
_STOP_GRACE_S = 30.0


@dataclass(frozen=True, slots=True)
class Child:
    """A running command of ours."""

    name: str
    process: ChildProcess
    log: Path

    def cpu_s(self) -> float:
        """User and system CPU seconds so far, all threads; 0 once it is gone."""
        with contextlib.suppress(psutil.Error):
            times = psutil.Process(self.process.pid).cpu_times()
            return float(times.user + times.system)
        return 0.0

    def death(self) -> ChildDiedError:
        """Say how it ended, its last words included."""
        return ChildDiedError(
            f"{self.name} ended with status {self.process.returncode}: see {self.log}",
            last_words=self.process.log_tail(lines=15),
        )


@dataclass(slots=True)
class Children:
    """All children of one run; an async context manager that ends them, last started first."""

    logs: Path
    running: list[Child] = field(default_factory=list)

    def start(
        self, name: str, arguments: Sequence[str], *, env: Mapping[str, str] | None = None
    ) -> Child:
        """Start `silverstream ARGUMENTS` in the background."""
        log = self.logs / f"{name}.log"
        command = [sys.executable, "-m", "stream.cli.main", *arguments]
        environment = child_environment(os.environ) | dict(env or {})
        child = Child(name, ChildProcess(command, log=log, env=environment), log)
        self.running.append(child)
        return child

    async def finish(self, name: str, arguments: Sequence[str]) -> None:
        """Run `silverstream ARGUMENTS` to its end; `ChildDiedError` unless it exits with 0."""
        child = self.start(name, arguments)
        while child.process.running:
            self.check(but=child)
            await asyncio.sleep(POLL_S)
        if child.process.returncode:
            raise child.death()
        await self.stop(child)

    async def until(self, holds: Callable[[], bool], *, timeout_s: float, what: str) -> None:
        """Wait until it holds while all children live; `HaltError` when the time is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not holds():
            self.check()
            if loop.time() > deadline:
                raise HaltError(f"{what} took more than {timeout_s:.0f} s; logs are in {self.logs}")
            await asyncio.sleep(POLL_S)

    def check(self, *, but: Child | None = None) -> None:
        """Raise `ChildDiedError` where a child that should run has ended."""
        for child in self.running:
            if child is not but and not child.process.running:
                raise child.death()

    async def stop(self, child: Child) -> None:
        """End a child: SIGTERM, and SIGKILL where it does not drain in time."""
        self.running.remove(child)
        await asyncio.to_thread(child.process.stop, grace_s=_STOP_GRACE_S)

    async def __aenter__(self) -> Self:
        """Make the folder of the logs."""
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every child, whatever happened."""
        for child in reversed(self.running.copy()):
            await self.stop(child)


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Copy the environment without settings of ours: the work folder's file alone decides."""
    kept = {k: v for k, v in environment.items() if not k.startswith("SILVERSTREAM_")}
    return kept | {"PYTHONUNBUFFERED": "1"}


def run_interruptible(flow: Coroutine[Any, Any, T]) -> T:
    """Run a flow; Ctrl-C and SIGTERM cancel it, so that it ends its children in order.

    A SIGTERM then becomes the exit status that shells expect of one.
    """
    try:
        return asyncio.run(_cancelled_by_sigterm(flow))
    except asyncio.CancelledError:
        raise SystemExit(128 + signal.SIGTERM) from None


async def _cancelled_by_sigterm(flow: Coroutine[Any, Any, T]) -> T:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101  # a coroutine runs in a task
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await flow
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
