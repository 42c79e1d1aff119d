"""How many calls may run side by side, and when the next one may begin.

Three things hold a call back: the places in flight, which are halved when the endpoint is
overloaded and come back one by one (AIMD: Chiu and Jain, 1989); the endpoint's own limits, as
far as it tells them (`stream.teacher.rate_limits`); and the pause that it asked for with 429. So
calls wait here in place of being turned away there.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from schemas.errors import (
    TeacherPermanentError,
    TeacherStateError,
    TeacherUnavailableError,
    TurnedAwayError,
)
from stream.teacher.rate_limits import KINDS, Kind, Limit, read_told
from stream.teacher.retries import Clock

_FIRST_PAUSE_S = 0.25
_INSTANT_S = 0.001
_LONGEST_NAP_S = 1.0
"""The endpoint may tell of more room while we wait."""
_WINDOW = 8
_SLOW = 3.0
"""An answer that takes so many times as long as at best: more calls would only queue there."""
_FORGETTING = 1.02
_LEAST_SHARE_IF_SLOW = 0.25


class InFlight:
    """The places for calls in flight: `most`, or fewer while the endpoint is overloaded.

    Slowness alone takes places one by one and leaves a quarter: it may not be of our making.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.places = most
        self._taken = 0
        self._free = asyncio.Condition()
        self._n_begun = 0
        self._last_halved = 0
        self._seconds: list[float] = []
        self._best_s = math.inf

    async def take(self) -> int:
        """Wait for a place; give the call's number, in the order in which they begin."""
        async with self._free:
            await self._free.wait_for(lambda: self._taken < self.places)
            self._taken += 1
            self._n_begun += 1
            return self._n_begun

    async def give_back(self) -> None:
        """Let the next one in."""
        async with self._free:
            self._taken -= 1
            self._free.notify_all()

    def overloaded(self, call: int) -> bool:
        """Halve the places; false for calls that began before the last time: they are no news."""
        if call <= self._last_halved:
            return False
        self._last_halved = self._n_begun
        self.places = max(self.places // 2, 1)
        self._seconds.clear()
        return True

    def answered(self, seconds: float) -> None:
        """Take note of how long an answer took; a window of them decides about one place."""
        self._seconds.append(seconds)
        if len(self._seconds) < max(self.places, _WINDOW):
            return
        mean_s = sum(self._seconds) / len(self._seconds)
        self._seconds.clear()
        self._best_s = min(self._best_s * _FORGETTING, mean_s)
        if mean_s <= _SLOW * self._best_s:
            self.places = min(self.places + 1, self._most)
        elif self.places > max(self._most * _LEAST_SHARE_IF_SLOW, 1):
            self.places -= 1


@dataclass(slots=True)
class Turn:
    """One call's turn. `sent` says that the endpoint may have counted it."""

    _pace: Pace
    number: int
    begun_s: float
    sent: bool = False

    def heard(self, headers: Mapping[str, str]) -> None:
        """Learn from the headers of the answer, whatever its status."""
        self._pace.heard(self.number, headers, sent_at_s=self.begun_s)


class Pace:
    """Lets calls of one endpoint begin; `most` of them run side by side at most.

    No call waits longer than `max_wait_s` for a limit: then `TurnedAwayError` is raised, as the
    endpoint's own 429 would be.
    """

    def __init__(self, *, most: int, max_wait_s: float, clock: Clock) -> None:
        self._max_wait_s = max_wait_s
        self._clock = clock
        self._in_flight = InFlight(most)
        self._limits: dict[Kind, Limit] = {kind: Limit() for kind in KINDS}
        self._gate = asyncio.Lock()
        self._paused_until_s = -math.inf
        self._n_turned_away = 0
        self._n_admitted = 0

    @property
    def places(self) -> int:
        """How many calls may be in flight now."""
        return self._in_flight.places

    @asynccontextmanager
    async def turn(self, *, tokens: int) -> AsyncIterator[Turn]:
        """Wait for one's turn to ask; `tokens` is the most that the call can be counted for.

        What is raised within tells how the endpoint is: 429 makes all calls pause, and any
        `TeacherUnavailableError` that may pass takes half of the places.
        """
        call = await self._in_flight.take()
        try:
            amounts: dict[Kind, float] = {"requests": 1.0, "tokens": float(tokens)}
            turn = await self._admitted(amounts)
            try:
                yield turn
            except (TeacherPermanentError, TeacherStateError):
                raise
            except TeacherUnavailableError as error:
                self._failed(call, error)
                raise
            else:
                self._n_turned_away = 0
                self._in_flight.answered(self._clock.monotonic() - turn.begun_s)
            finally:
                for limit in self._limits.values():
                    limit.ended(turn.number, counted=turn.sent)
        finally:
            await self._in_flight.give_back()

    def heard(self, number: int, headers: Mapping[str, str], *, sent_at_s: float) -> None:
        """Learn what is left of the limits, as of when the call was sent."""
        for kind, limit in self._limits.items():
            told = read_told(headers, kind, now=self._clock.now())
            if told is not None:
                limit.heard(number, told, sent_at_s=sent_at_s)

    async def _admitted(self, amounts: Mapping[Kind, float]) -> Turn:
        """Wait until the limits have room for the call; one after the other, as they came."""
        async with self._gate:
            while (wait_s := self._wait_s(amounts)) > _INSTANT_S:
                if wait_s > self._max_wait_s:
                    raise TurnedAwayError("the endpoint's limit is used up", retry_after_s=wait_s)
                await self._clock.sleep(min(wait_s, _LONGEST_NAP_S))
            self._n_admitted += 1
            now_s = self._clock.monotonic()
            for kind, limit in self._limits.items():
                limit.sent(self._n_admitted, amounts[kind], now_s=now_s)
            return Turn(self, self._n_admitted, now_s)

    def _wait_s(self, amounts: Mapping[Kind, float]) -> float:
        now_s = self._clock.monotonic()
        waits = [limit.wait_s(amounts[kind], now_s=now_s) for kind, limit in self._limits.items()]
        return max(*waits, self._paused_until_s - now_s)

    def _failed(self, call: int, error: TeacherUnavailableError) -> None:
        is_news = self._in_flight.overloaded(call)
        if isinstance(error, TurnedAwayError):
            pause_s = error.retry_after_s
            if pause_s is None:
                pause_s = _FIRST_PAUSE_S * 2.0 ** min(self._n_turned_away, 30)
            self._n_turned_away += is_news
            until_s = self._clock.monotonic() + min(pause_s, self._max_wait_s)
            self._paused_until_s = max(self._paused_until_s, until_s)
