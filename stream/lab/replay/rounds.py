"""One round after the other: stream a share, await its answers, distill, swap."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from schemas.errors import StalledError
from schemas.files.corpus import Example
from stream.lab.children import POLL_S
from stream.lab.client import Client
from stream.lab.replay.jury import Jury, Ruling
from stream.lab.replay.result import ReplayedRound
from stream.lab.scoring import stream_quality
from stream.lab.system import System, Worker

STALL_S = 300.0
"""Nothing at all came back for this long: something is broken. Retries take less."""


class Spectator(Protocol):
    """Told of what happens; a person may be watching."""

    def phase(self, words: str, *, total: int = 0) -> None:
        """Take note of another phase, of `total` records if that is known."""

    def advance(self, done: int) -> None:
        """Take note that so many records of this phase are done."""

    def round_done(self, number: int, result: ReplayedRound) -> None:
        """Take note of a round that ended."""


@dataclass(slots=True, kw_only=True)
class Rounds:
    """Plays rounds and keeps what they add up to."""

    system: System
    client: Client
    tag_worker: Worker
    jury: Jury
    progress: Spectator
    stall_s: float = STALL_S
    sent: dict[str, Example] = field(default_factory=dict)
    done: list[ReplayedRound] = field(default_factory=list)
    stream_s: float = 0.0
    cpu_s: float = 0.0

    async def play(self, share: Sequence[Example], *, number: int, of: int) -> None:
        """Play one round."""
        words = f"round {number}/{of}"
        labels_before, champion = len(self.client.seen.labels), self.jury.champion
        sent = await self._stream(share, words)
        self.progress.phase(f"{words}: distill")
        began = time.monotonic()
        ruling = await self.jury.next_ruling(self.system)
        await self.client.caught_up()  # with the answers that judged
        if ruling.promoted:
            await self.system.until_ready(self.tag_worker, student=ruling.student)
        result = self._result(
            sent,
            ruling,
            labels_before=labels_before,
            serving=champion.student if champion else "",
            distill_s=time.monotonic() - began,
        )
        self.done.append(result)
        self.progress.round_done(number, result)

    async def _stream(self, share: Sequence[Example], words: str) -> dict[str, Example]:
        """Produce the share and wait until nothing more is to come for it."""
        seen, worker = self.client.seen, self.tag_worker.child
        self.progress.phase(f"{words}: streaming", total=len(share))
        began, cpu_before = time.monotonic(), worker.cpu_s()
        sent = await self.client.send(share)
        self.sent |= sent  # before waiting: what never comes back counts as lost
        try:
            await self.until(sent, seen.has_first)
        finally:
            self.stream_s += time.monotonic() - began
            self.cpu_s += worker.cpu_s() - cpu_before
        self.progress.phase(f"{words}: the teacher's answers", total=len(share))
        await self.until(sent, seen.is_done)
        return sent

    async def until(self, record_ids: Collection[str], holds: Callable[[str], bool]) -> None:
        """Wait until it holds for every record; `StalledError` when nothing moves any more."""
        pending, moved = set(record_ids), time.monotonic()
        while pending := {record_id for record_id in pending if not holds(record_id)}:
            self.client.check()
            self.system.children.check()
            left = len(record_ids) - len(pending)
            self.progress.advance(left)
            await asyncio.sleep(POLL_S)
            if any(map(holds, pending)):
                moved = time.monotonic()
            elif time.monotonic() - moved > self.stall_s:
                raise StalledError(
                    f"nothing came back for {self.stall_s:.0f} s; "
                    f"{len(pending)} records are missing; see {self.system.children.logs}"
                )

    def _result(
        self,
        sent: dict[str, Example],
        ruling: Ruling,
        *,
        labels_before: int,
        serving: str,
        distill_s: float,
    ) -> ReplayedRound:
        seen = self.client.seen
        counts, found = seen.counts(sent), stream_quality(sent, seen)
        of_categories = self.jury.task.choose is not None
        return ReplayedRound(
            records=counts.records,
            deferred=counts.deferred,
            wanted=counts.wanted,
            labels=len(seen.labels) - labels_before,
            labels_total=len(seen.labels),
            stream_f1=found.f1,
            student=ruling.student,
            student_f1=ruling.f1,
            student_f1_interval=ruling.f1_interval,
            stream_accuracy=found.accuracy if of_categories else None,
            student_accuracy=ruling.of_categories.get("accuracy"),
            promoted=ruling.promoted,
            reason=ruling.reason,
            serving=serving,
            distill_s=distill_s,
            judged=ruling.judged,
        )
