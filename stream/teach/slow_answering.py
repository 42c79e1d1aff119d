"""Requests answered in batches of the provider's Batch API: revision 2 comes hours later, for less.

Requests stay unacknowledged until their answers are delivered, and the teacher's state file knows
which batch holds which question: whoever reads them again after a kill goes on with that batch.

A request that would expire before a batch has ended is asked about live, and so is what a batch did
not answer, where the settings say so; without an answer its revision 2 says why, as always.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import structlog
from aiokafka import ConsumerRecord

from schemas.errors import TeacherPermanentError, TeacherUnavailableError
from schemas.settings.batch import BatchSettings
from schemas.types import TeacherRequest
from stream.teach.agent import AnswerAll
from stream.teach.answering import Answering
from stream.teacher.batches.lane import Lot

_log = structlog.get_logger()

_AT_ONCE: Final = 256
_AGAIN_S: Final = 60.0


class Lane(Protocol):
    """Asks about texts in batches; see `BatchLane.lots`."""

    def lots(self, texts: Sequence[str], *, in_time: Callable[[str], bool]) -> AsyncGenerator[Lot]:
        """Give lots of them, each when its batch has ended."""
        ...


@dataclass(slots=True)
class SlowAnswering:
    """Answers what was gathered; `make_lane` makes a lane that tells of each of its tries.

    `tell` hears how many requests wait for a batch.
    """

    settings: BatchSettings
    make_lane: Callable[[Callable[[], None]], Lane]
    now_ms: Callable[[], int]
    tell: Callable[[int], object] = lambda _waiting: None
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    waiting: int = field(default=0, init=False)
    """How many requests wait for a batch."""
    tried_at_s: float = field(default=-math.inf, init=False)
    """When the endpoint was last asked how a batch gets on, on the monotonic clock."""
    refusal: str | None = field(default=None, init=False)
    """Why no batch is taken, where a person must look."""

    async def __call__(
        self, records: Sequence[ConsumerRecord[bytes, bytes]], answering: Answering
    ) -> None:
        """Answer these records; raises as `Answering`."""
        read = await asyncio.gather(*map(answering.read, records))
        left = [one for one in read if one is not None]
        while asked := await self._to_be_asked(left, answering):
            left = await self._in_batches(asked, answering)
            if left:
                await self.sleep(_AGAIN_S)
                self._tried()

    async def _to_be_asked(
        self, requests: Sequence[TeacherRequest], answering: Answering
    ) -> list[TeacherRequest]:
        """Give those about which somebody may be asked; the revision 2 of the others says why."""
        now_ms = self.now_ms()
        asked = [one for one in requests if answering.may_ask(one) and now_ms < one.expires_at_ms]
        others = {one.record_id for one in requests} - {one.record_id for one in asked}
        await _answered([one for one in requests if one.record_id in others], answering)
        self._wait_for(len(asked))
        return asked

    async def _in_batches(
        self, requests: Sequence[TeacherRequest], answering: Answering
    ) -> list[TeacherRequest]:
        """Ask in batches; give the requests that there was nobody to ask about."""
        left = defaultdict[str, list[TeacherRequest]](list)
        for request in requests:
            left[request.text].append(request)
        lane = self.make_lane(self._tried)
        try:
            async with aclosing(
                lane.lots([*left], in_time=lambda text: all(map(self._has_time, left[text])))
            ) as lots:
                async for lot in lots:
                    of_lot = [one for text in lot.texts for one in left.pop(text)]
                    slowly = replace(answering, teacher=lot, ask_unsure=None, ask_audit=None)
                    await _answered(of_lot, slowly)
                    self._wait_for(self.waiting - len(of_lot))
                    self.refusal = None
        except TeacherUnavailableError as error:
            _log.error("batch_put_off", requests=sum(map(len, left.values())), reason=str(error))
            self.refusal = str(error) if isinstance(error, TeacherPermanentError) else None
        return [one for of_text in left.values() for one in of_text]

    def _has_time(self, request: TeacherRequest) -> bool:
        return self.now_ms() + self.settings.deadline_s * 1000 < request.expires_at_ms

    def _wait_for(self, waiting: int) -> None:
        self.waiting = waiting
        self.tell(waiting)

    def _tried(self) -> None:
        self.tried_at_s = time.monotonic()


def while_any_waits(
    slow: AnswerAll, live: AnswerAll, waits: Callable[[], Awaitable[bool]]
) -> AnswerAll:
    """Answer slowly as long as batches that an earlier process sent wait, and live after that."""

    async def answer_all(records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
        await (slow if await waits() else live)(records)

    return answer_all


async def _answered(requests: Sequence[TeacherRequest], answering: Answering) -> None:
    for at in range(0, len(requests), _AT_ONCE):
        some: Iterable[TeacherRequest] = requests[at : at + _AT_ONCE]
        await asyncio.gather(*map(answering.answer, some))
