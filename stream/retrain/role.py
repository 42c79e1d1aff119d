"""The distill role: run a round whenever one is due (`stream.retrain.trigger` says when).

A round is a process of its own (`silverstream distill`), at low priority:
training must not slow the lanes, and torch must not enter this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import structlog
from aiokafka.errors import KafkaError

from schemas.canaries.holds import Hold, open_hold
from schemas.errors import DiskError, RetryError
from schemas.new_labels import new_by_offsets
from schemas.settings import DistillSettings
from stream.frame.health import RoleHealth
from stream.kafka.local.child_process import Watcher
from stream.retrain.believed import Believed
from stream.retrain.last_round import Mark, mark_path, read_mark, write_mark
from stream.retrain.trigger import due_for
from stream.watch.metrics import Metrics

_log = structlog.get_logger()

_NICE = 10
_STOP_TIMEOUT_S = 10.0
_RETRY_S = 300.0
"""A round that failed is not begun again before this time, however many labels wait."""


@dataclass(slots=True, kw_only=True)
class Retraining:
    """A role that calls for rounds, one at a time; `tick` is called by a timer."""

    task: str
    settings: DistillSettings
    label_ends: Callable[[], Awaitable[Mapping[str, int]]]
    holds: Callable[[], Awaitable[Sequence[Hold]]]
    command: Sequence[str]
    metrics: Metrics
    now_s: Callable[[], float]
    believed: Believed | None = None
    """Counts the labels that are believed, where not all are."""
    _round: asyncio.Task[None] | None = None
    _not_before_s: float = 0.0
    _is_held: bool = False

    def is_running(self) -> bool:
        """Whether a round is running."""
        return self._round is not None and not self._round.done()

    async def tick(self) -> None:
        """Start a round if one is due and none is running."""
        if self.is_running() or self.now_s() < self._not_before_s:
            return
        try:
            hold = open_hold(await self.holds())
            ends, mark = dict(await self.label_ends()), read_mark(self._mark_path)
            fresh = await self._fresh(ends, mark)
        except (RetryError, KafkaError, OSError) as error:
            _log.warning("labels_uncounted", error=repr(error))
            return
        self._say_held(hold)
        if hold is not None:
            return  # what a doubted teacher says is learnt, and judges, when it is accepted
        why = due_for(fresh, mark, now_s=self.now_s(), settings=self.settings)
        if why:
            _log.info("round_started", why=why, new_labels=fresh)
            self._round = asyncio.create_task(self._run(Mark(ends, self.now_s())))

    async def _fresh(self, ends: Mapping[str, int], mark: Mark) -> int:
        """Count the new labels: by offsets, and only what would start a round by reading it."""
        fresh = new_by_offsets(ends, mark.offsets)
        if self.believed and due_for(fresh, mark, now_s=self.now_s(), settings=self.settings):
            return await self.believed.since(mark.offsets)
        return fresh

    def _say_held(self, hold: Hold | None) -> None:
        if hold is not None and not self._is_held:
            _log.warning("rounds_held_back", since_ms=hold.since_ms)
        self._is_held = hold is not None

    async def wait(self) -> None:
        """Wait for the round that is running, if any."""
        if self._round is not None:
            await self._round

    async def start(self) -> None:
        """Nothing is to be begun before the first tick."""

    async def stop(self) -> None:
        """End the round that is running, if any; its labels are counted by the next one again."""
        if self._round is not None:
            self._round.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._round

    def health(self) -> RoleHealth:
        """Say that all is well: a round that fails is told by its metric and begun again later."""
        return RoleHealth(ready=True, live=True)

    @property
    def _mark_path(self) -> Path:
        return mark_path(self.settings.folder, self.task)

    async def _run(self, mark: Mark) -> None:
        code = await run_quietly(self.command)
        if code or not self._marked(mark):
            self._not_before_s = self.now_s() + _RETRY_S
        self.metrics.rounds.labels("failed" if code else "done").inc()
        (_log.error if code else _log.info)("round_ended", code=code)

    def _marked(self, mark: Mark) -> bool:
        """Keep the mark; without it the round would be due again at once."""
        try:
            write_mark(self._mark_path, mark)
        except DiskError as error:
            _log.error("round_mark_unwritten", message=str(error))
            return False
        return True


async def run_quietly(command: Sequence[str]) -> int:
    """Run a child process at low priority to its end; it ends with us, even when we are killed."""
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
    watcher = Watcher(process.pid)
    try:
        with contextlib.suppress(psutil.Error):
            psutil.Process(process.pid).nice(_NICE)
        return await process.wait()
    except asyncio.CancelledError:
        await _end(process)
        raise
    finally:
        watcher.dismiss()


def distill_command(config: Path | None) -> list[str]:
    """Return the command of one round, with this interpreter and the same settings.

    Forced, because the role has counted the labels already, and by offsets: a round
    counts distinct texts, and might find too few.
    """
    command = [sys.executable, "-m", "stream.cli.main", "distill", "--force"]
    return [*command, "--config", str(config)] if config else command


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_TIMEOUT_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
