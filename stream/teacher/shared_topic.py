"""The topic `teacher-spend`, joined: read to its end, its view kept, records written and read back.

What a ledger knows and the topic does not is brought in when a process joins: what an older version
spent, or one whose budget held for its machine alone. So an upgrade forgets nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from schemas.errors import TeacherStateError
from schemas.types import TeacherSpend
from schemas.wire.keyed import JOINED
from stream.teacher.shared_spend import OPENING, Limit, SpendView, of_ledger
from stream.teacher.spending import Spending

_JOIN_TIMEOUT_S = 120.0
"""To read the topic to its end: some hundred thousand records at most."""
_READ_BACK_TIMEOUT_S = 30.0
UNOPENED = (
    "the topic teacher-spend does not tell what was spent, so nothing is until a person does: "
    "`silverstream budget open --spent-usd USD`"
)


class SpendLog(Protocol):
    """The topic: one order of records for all. Whatever passes by itself is `TeacherStateError`."""

    async def open(self) -> None:
        """Connect, and begin to read at the beginning."""

    async def append(self, row: TeacherSpend) -> None:
        """Write a record; return when it cannot be lost any more."""

    async def read(self) -> Sequence[TeacherSpend]:
        """Give the records that come next, in their order; none where none came for a moment."""

    async def aclose(self) -> None:
        """Let go of everything, whatever state it is in; `open` may follow."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The state file that calls are booked in too: its name, unlike any other, and its rows."""

    name: str
    rows: Sequence[Spending]


class SharedTopic:
    """The log, its view as far as it was read, and its limits; for one process and event loop.

    `holder` writes here; `read_ledger` reads the ledger, and `own` gives the records that it last
    wrote. `saw` is told of each record, after it was taken note of.
    """

    def __init__(
        self,
        log: SpendLog,
        limits: Sequence[Limit],
        *,
        holder: str,
        read_ledger: Callable[[], Awaitable[Ledger]],
        own: Callable[[], Iterable[TeacherSpend]],
        saw: Callable[[TeacherSpend], None],
    ) -> None:
        self._log = log
        self._limits = tuple(limits)
        self._holder = holder
        self._read_ledger = read_ledger
        self._own = own
        self._tell = saw
        self._view = SpendView()
        self._awaited: tuple[TeacherSpend, asyncio.Future[bool]] | None = None
        self._joining = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None
        self._n_hellos = 0
        self._caught_up = False
        self._met_ledger = False
        self._openings: set[str] = set()
        self._failure: TeacherStateError | None = None
        self.ledger = ""
        """The ledger's name, once we have joined."""

    async def joined(self, hour: str) -> None:
        """Connect where we are not, and read to the end; what the ledger knows counts in `hour`.

        Raises `TeacherStateError` where that does not work, or nobody has opened the topic.
        """
        failure = self._failure
        async with self._joining:
            # Who waited while another tried in vain need not try again.
            if self._failure is not None and self._failure is not failure:
                raise self._failure
            try:
                await self._up_to_date(hour)
            except TeacherStateError as error:
                self._failure = error
                raise
        if not self._view.opened:
            raise TeacherStateError(UNOPENED)

    def refusal(self, row: TeacherSpend) -> str | None:
        """Say which limit this record would pass, as far as we have read; None if none."""
        return self._view.refusal(row, self._limits)

    async def raised(self, row: TeacherSpend, *, timeout_s: float = _READ_BACK_TIMEOUT_S) -> bool:
        """Write a record and read it back; whether it passes no limit, there where it stands."""
        async with self._writing:
            verdict: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            self._awaited = (row, verdict)
            try:
                await self._log.append(row)
                return await self._read_back(verdict, timeout_s)
            finally:
                self._awaited = None

    async def write(self, row: TeacherSpend) -> None:
        """Write a record that asks for nothing."""
        async with self._writing:
            await self._log.append(row)

    async def tell_counts(self) -> None:
        """Bring in what the ledger alone counts; its money is there since we joined."""
        if self._met_ledger:
            ledger, now_ms = await self._read_ledger(), _now_ms()
            for row in of_ledger(self._view, ledger.name, ledger.rows, now_ms=now_ms):
                await self.write(row)

    async def aclose(self) -> None:
        """Disconnect."""
        await ended(self._reader)
        await self._log.aclose()

    async def _up_to_date(self, hour: str) -> None:
        if self._reader is None or self._reader.done():
            await self._connect()
        if not self._caught_up or (self._view.opened and not self._met_ledger):
            await self._join(hour)

    async def _connect(self) -> None:
        await self.aclose()
        self._view, self._caught_up, self._met_ledger = SpendView(), False, False
        await self._log.open()
        self._reader = asyncio.create_task(self._read())

    async def _join(self, hour: str) -> None:
        """Read to the end, which is behind a record of ours; then bring in what the ledger knows.

        The ledger is read first: whatever is booked there stands in the topic already.
        """
        ledger = await self._read_ledger()
        self.ledger = ledger.name
        self._n_hellos += 1
        here = TeacherSpend(hour, "", JOINED, self._holder, self._n_hellos, ledger.name)
        await self.raised(here, timeout_s=_JOIN_TIMEOUT_S)
        self._caught_up = True
        if not self._view.opened:
            return
        for row in self._own():
            standing = self._view.standing(row)
            if standing is None or standing.sequence < row.sequence:
                await self.raised(row)  # the topic was lost, and this with it
        known = ledger.rows
        for row in of_ledger(self._view, ledger.name, known, now_ms=_now_ms(), joining_in=hour):
            await self.raised(row)
        self._met_ledger = True

    async def _read(self) -> None:
        while True:
            for row in await self._log.read():
                self._saw(row)

    def _saw(self, row: TeacherSpend) -> None:
        if row.purpose == OPENING:
            self._look_at_opening(row.holder)
        if self._awaited is not None and row == self._awaited[0] and not self._awaited[1].done():
            # By what stands before it, whoever wrote something since.
            self._awaited[1].set_result(self.refusal(row) is None)
        self._view.take(row)
        self._tell(row)

    def _look_at_opening(self, holder: str) -> None:
        """Begin anew where the topic was lost: what we remember is not what others read there."""
        is_new = self._caught_up and bool(self._openings) and holder not in self._openings
        self._openings.add(holder)
        if is_new:
            raise TeacherStateError("the topic teacher-spend was opened anew")

    async def _read_back(self, verdict: asyncio.Future[bool], timeout_s: float) -> bool:
        reader = self._reader
        either: set[asyncio.Future[Any]] = {verdict, *([reader] if reader else [])}
        await asyncio.wait(either, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if verdict.done():
            return verdict.result()
        if reader is not None and reader.done():
            reader.result()
        raise TeacherStateError(
            f"what was written to teacher-spend could not be read back in {timeout_s:.0f} s"
        )


async def ended(task: asyncio.Task[None] | None) -> None:
    """End a task, and wait for its end, however it ends."""
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
