"""The budget of all who share the topic `teacher-spend`: reserved there before a call is made.

Why it cannot be passed stands in `stream.teacher.shared_spend`. Here are the holds of one process
and who writes them. Claims that wait together are written together, so that many calls at once cost
one record and one look; what a settled call leaves over is used by the next one, and given back
when nobody took it for a while.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import structlog

from schemas.errors import BudgetExhaustedError, TeacherStateError
from schemas.types import TeacherSpend
from stream.teacher.completions import Usage
from stream.teacher.shared_spend import NOTHING, Amount, Limit
from stream.teacher.shared_topic import Ledger, SharedTopic, SpendLog, ended
from stream.teacher.spending import Cause

_log = structlog.get_logger()

_LINGER_S = 0.5
"""How long what a call left over is kept for the next one."""
_COUNTS_EVERY_S = 60.0


@dataclass(slots=True, eq=False)
class _Waiting:
    most: Amount
    settled: asyncio.Future[None]


@dataclass(slots=True, eq=False)
class _Hold:
    """What this process spent and may spend in one hour, for one task and purpose."""

    row: TeacherSpend
    """As it was last written, or begun to be; its counts are newer."""
    granted: Amount = NOTHING
    """What may be spent, used included: never more than the topic says of us."""
    used: Amount = NOTHING
    waiting: deque[_Waiting] = field(default_factory=deque)
    under_way: int = 0
    changed: bool = False
    """Whether the topic says something else, and should be told."""

    def has_room_for(self, most: Amount) -> bool:
        """Whether a call needs no record; never past those that wait, who are reckoned with."""
        return not self.waiting and (self.used + most).within(self.granted)

    def take(self, most: Amount) -> Claim:
        self.used += most
        self.under_way += 1
        self.row = replace(self.row, calls=self.row.calls + 1)
        return Claim(self, most)

    def give(self, claim: Claim, taken: Amount) -> None:
        self.used += taken - claim.most
        self.under_way -= 1
        self.changed = True

    def next_row(self, amount: Amount, *, calls: int = 0) -> TeacherSpend:
        """Give the record that says so much, `calls` to come included."""
        return replace(
            self.row,
            sequence=self.row.sequence + 1,
            nano_usd=amount.nano_usd,
            tokens=amount.tokens,
            calls=self.row.calls + calls,
            written_at_ms=time.time_ns() // 1_000_000,
        )

    def begin(self, row: TeacherSpend) -> TeacherSpend:
        """Begin to write this: from here on no more than it says is held."""
        self.granted = self.granted.at_most(Amount(row.nano_usd, row.tokens))
        self.row = replace(row, calls=self.row.calls)
        return row


@dataclass(frozen=True, slots=True)
class Claim:
    """A call's part of a hold, until it is settled or released."""

    hold: _Hold
    most: Amount


class SharedBudget:
    """What this process may spend; use it from one event loop. It connects with the first claim.

    `read_ledger` as that of `SharedTopic`.
    """

    def __init__(
        self,
        log: SpendLog,
        limits: Sequence[Limit],
        *,
        read_ledger: Callable[[], Awaitable[Ledger]],
        linger_s: float = _LINGER_S,
    ) -> None:
        self._linger_s = linger_s
        self._holder = uuid.uuid4().hex
        self._holds: dict[tuple[str, str, str], _Hold] = {}
        self._topic = SharedTopic(
            log,
            limits,
            holder=self._holder,
            read_ledger=read_ledger,
            own=lambda: [hold.row for hold in self._holds.values() if hold.row.sequence],
            saw=self._saw,
        )
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._counted_at_s = 0.0

    async def claim(self, cause: Cause, *, hour: str, most: Amount) -> Claim:
        """Reserve the most that a call can take, in `hour` (of UTC, as 2026-11-26T17).

        Raises `BudgetExhaustedError` where a limit would be passed, `TeacherStateError` where the
        topic cannot be written, read or understood, or nobody has opened it.
        """
        await self._topic.joined(hour)
        hold = self._hold(hour, cause)
        if hold.has_room_for(most):
            return hold.take(most)
        one = _Waiting(most, asyncio.get_running_loop().create_future())
        hold.waiting.append(one)
        self._wake.set()
        try:
            await self._let(one)
        except asyncio.CancelledError:
            if not one.settled.cancel() and one.settled.exception() is None:
                self.release(Claim(hold, most))
            raise
        return Claim(hold, most)

    def settle(self, claim: Claim, usage: Usage, *, nano_usd: int) -> None:
        """Book what the call did take, be it more than was reserved."""
        row = claim.hold.row
        claim.hold.row = replace(
            row,
            tokens_in=row.tokens_in + usage.tokens_in,
            tokens_out=row.tokens_out + usage.tokens_out,
            tokens_reasoning=row.tokens_reasoning + usage.reasoning,
        )
        claim.hold.give(claim, Amount(nano_usd, usage.tokens_in + usage.tokens_out))
        self._wake.set()

    def release(self, claim: Claim) -> None:
        """Give it all back: the call cost nothing."""
        claim.hold.row = replace(claim.hold.row, calls=claim.hold.row.calls - 1)
        claim.hold.give(claim, NOTHING)
        self._wake.set()

    async def aclose(self) -> None:
        """Write what was spent, and let go of the rest."""
        if self._writer is not None:
            await ended(self._writer)
            await self._written(self._lower_all, self._topic.tell_counts)
        await self._topic.aclose()

    def _hold(self, hour: str, cause: Cause) -> _Hold:
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        where = (hour, cause.task, cause.purpose)
        if where not in self._holds:
            self._holds[where] = _Hold(TeacherSpend(*where, self._holder, 0, self._topic.ledger))
        return self._holds[where]

    async def _let(self, one: _Waiting) -> None:
        """Wait for the writer, which may have ended by a fault of ours."""
        assert self._writer is not None  # noqa: S101 - made with the hold
        await asyncio.wait({one.settled, self._writer}, return_when=asyncio.FIRST_COMPLETED)
        if not one.settled.done():
            self._writer.result()
        one.settled.result()

    def _saw(self, row: TeacherSpend) -> None:
        hold = self._holds.get((row.hour, row.task, row.purpose))
        if hold and row.holder == self._holder and row.sequence < hold.row.sequence:
            # It may have been sent twice and come late: what we hold must be the last word.
            hold.changed = True

    async def _write(self) -> None:
        """Write what is waited for at once, and what was left over after a while."""
        loop, due_s = asyncio.get_running_loop(), None
        while True:
            if due_s is None and any(hold.changed for hold in self._holds.values()):
                due_s = loop.time() + self._linger_s
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due_s):
                    await self._wake.wait()
            self._wake.clear()
            for hold in [*self._holds.values()]:
                await self._serve(hold)
            if due_s is not None and loop.time() >= due_s:
                await self._give_back()
                due_s = None

    async def _serve(self, hold: _Hold) -> None:
        """Reserve for all who wait, as far as it goes; tell the others why not."""
        try:
            while admitted := self._admitted(hold):
                if await self._raised(hold, admitted):
                    for one in admitted:
                        _let_go(hold, one)
                else:
                    await self._lower(hold)
        except TeacherStateError as error:
            for one in hold.waiting:
                if not one.settled.done():
                    one.settled.set_exception(error)
            hold.waiting.clear()
            hold.changed = True

    def _admitted(self, hold: _Hold) -> list[_Waiting]:
        """Choose who fits, in the order of asking, as far as we have read the topic."""
        want, found = hold.used, []
        for one in [*hold.waiting]:
            if one.settled.done():  # it does not wait any more
                hold.waiting.remove(one)
                continue
            why = self._topic.refusal(hold.next_row(want + one.most))
            if why is None:
                want += one.most
                found.append(one)
            else:
                hold.waiting.remove(one)
                one.settled.set_exception(BudgetExhaustedError(why))
        return found

    async def _raised(self, hold: _Hold, admitted: Sequence[_Waiting]) -> bool:
        want = hold.used
        for one in admitted:
            want += one.most
        row = hold.begin(hold.next_row(want, calls=len(admitted)))
        if not await self._topic.raised(row):
            return False
        hold.granted = want
        return True

    async def _lower(self, hold: _Hold) -> None:
        hold.changed = False
        try:
            await self._topic.write(hold.begin(hold.next_row(hold.used)))
        except TeacherStateError:
            hold.changed = True
            raise

    async def _lower_all(self) -> None:
        for hold in [*self._holds.values()]:
            if hold.changed and not hold.waiting:
                await self._lower(hold)

    async def _give_back(self) -> None:
        await self._written(self._lower_all)
        if time.monotonic() - self._counted_at_s > _COUNTS_EVERY_S:
            self._counted_at_s = time.monotonic()
            await self._written(self._topic.tell_counts)
        newest = max(hour for hour, _, _ in self._holds)
        for where, hold in [*self._holds.items()]:
            if where[0] < newest and not (hold.under_way or hold.waiting or hold.changed):
                del self._holds[where]

    async def _written(self, *writes: Callable[[], Awaitable[None]]) -> None:
        """Write what nobody waits for; it is tried again, and counts as spent until then."""
        try:
            for write in writes:
                await write()
        except TeacherStateError as error:
            _log.warning("teacher_spend_unwritten", error=str(error))


def _let_go(hold: _Hold, one: _Waiting) -> None:
    hold.waiting.remove(one)
    if one.settled.done():  # it was cancelled meanwhile
        hold.changed = True
        return
    hold.take(one.most)
    one.settled.set_result(None)
