"""The topic `teacher-spend` in memory: one order of records for all who open it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.errors import TeacherStateError
from schemas.types import TeacherSpend
from stream.teacher.shared_spend import OPENING

HOUR = "2026-11-26T17"


def an_opening(*, spent_nano_usd: int = 0, by: str = "a-person") -> TeacherSpend:
    """Make the record by which a person opens the topic."""
    return TeacherSpend(HOUR, "", OPENING, by, 1, nano_usd=spent_nano_usd)


@dataclass(slots=True)
class MemorySpendTopic:
    """The records of all logs; a broker takes its time with each, by `lot`.

    With `sent_twice` a record may come a second time, behind newer ones. While it is `away`,
    nothing can be written, and nothing is read.
    """

    records: list[TeacherSpend] = field(default_factory=lambda: [an_opening()])
    lot: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 - no secret
    sent_twice: float = 0.0
    away: bool = False
    _late: list[TeacherSpend] = field(default_factory=list)

    def log(self) -> MemorySpendLog:
        """Give one process its log."""
        return MemorySpendLog(self)

    async def take_time(self) -> None:
        """Let others go first for a while."""
        for _ in range(self.lot.randrange(6)):
            await asyncio.sleep(0)

    def written(self, row: TeacherSpend) -> None:
        """Take a record in, and now and then one of before again."""
        self.records.append(row)
        if self.lot.random() < self.sent_twice:
            self._late.append(row)
        if self._late and self.lot.random() < self.sent_twice:
            self.records.append(self._late.pop(0))


@dataclass(slots=True)
class MemorySpendLog:
    """A `stream.teacher.shared_topic.SpendLog`."""

    topic: MemorySpendTopic
    killed: bool = False
    """Whether its process is gone: nothing that it waits for comes."""
    _at: int | None = None

    async def open(self) -> None:
        """Read from the beginning."""
        self._refuse_while_away()
        self._at = 0

    async def append(self, row: TeacherSpend) -> None:
        """Write; another may be quicker."""
        self._refuse_while_away()
        await self._take_time()
        self.topic.written(row)
        await self._take_time()

    async def read(self) -> Sequence[TeacherSpend]:
        """Give what is new."""
        await self._take_time()
        await asyncio.sleep(0)
        if self._at is None:
            raise TeacherStateError("not open")
        if self.topic.away:
            return ()
        if self._at > len(self.topic.records):  # it was made anew
            self._at = 0
        found = self.topic.records[self._at : self._at + 3]
        self._at += len(found)
        return found

    async def aclose(self) -> None:
        """Read no more."""
        self._at = None

    async def _take_time(self) -> None:
        await self.topic.take_time()
        if self.killed:
            await asyncio.Event().wait()

    def _refuse_while_away(self) -> None:
        if self.topic.away:
            raise TeacherStateError("the brokers are away")
