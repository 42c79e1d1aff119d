"""When to call again: backoff with jitter, the server's wish, and a circuit breaker.

Source: "Exponential Backoff And Jitter" (AWS Architecture Blog); RFC 9110, section
10.2.3, for Retry-After.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from schemas.errors import (
    InvalidAnswerError,
    RefusedError,
    RetryError,
    TurnedAwayError,
)

_FIRST_WAIT_S = 0.5
_FAILURES_TO_OPEN = 5
_FIRST_COOLDOWN_S = 1.0


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, given in so that tests need not wait. `now` is Unix time in seconds."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


def wait_before(
    attempt: int, *, wish_s: float | None, max_wait_s: float, lot: random.Random
) -> float:
    """Seconds to wait after `attempt` (1, 2, ...) failed, at most twice `max_wait_s`.

    The server's wish, and on top of it a backoff; each is at most `max_wait_s`. The backoff
    doubles from half a second on, and half of it to all of it is taken by lot, so that
    clients which failed together do not return together.
    """
    backoff = min(_FIRST_WAIT_S * 2.0 ** min(attempt - 1, 30), max_wait_s)
    return min(wish_s or 0.0, max_wait_s) + backoff * lot.uniform(0.5, 1.0)


def parse_retry_after(value: str | None, *, now: float) -> float | None:
    """Read a Retry-After header, seconds or an HTTP date; None when it says nothing usable."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = _seconds_until(value, now=now)
    return None if math.isnan(seconds) else max(seconds, 0.0)


def _seconds_until(date: str, *, now: float) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - now
    except (ValueError, OverflowError):
        return math.nan


class Circuit:
    """Opens after five failures in a row; then calls are turned away for a while.

    Calls that were under way together fail together, and count once. After the pause one
    call goes ahead as a probe: its success closes the circuit, its failure doubles the
    pause, up to `max_cooldown_s`.
    """

    def __init__(self, *, clock: Clock, max_cooldown_s: float) -> None:
        self._clock = clock
        self._max_cooldown_s = max_cooldown_s
        self._failures = 0
        self._opens_at = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether calls are turned away, or only a probe is let through."""
        return self._failures >= _FAILURES_TO_OPEN

    @contextmanager
    def call(self) -> Iterator[None]:
        """Wrap one call; raises `TurnedAwayError` instead when the circuit is open.

        A `RetryError` out of the call is a failure. A refusal or an invalid answer is a success,
        since the endpoint did answer. Anything else says nothing about it.
        """
        probe = self._admit()
        known = self._failures
        try:
            yield
        except RetryError:
            # One that began before the last counted failure says nothing new.
            if known == self._failures:
                self._failed()
            raise
        except (RefusedError, InvalidAnswerError):
            self._failures = 0
            raise
        else:
            self._failures = 0
        finally:
            # Also when the probe said nothing, having been cancelled: then another may try.
            self._probing = self._probing and not probe

    def _admit(self) -> bool:
        if not self.is_open:
            return False
        left = self._opens_at - self._clock.monotonic()
        if left > 0 or self._probing:
            raise TurnedAwayError(
                "the circuit is open after repeated failures",
                retry_after_s=max(left, _FIRST_COOLDOWN_S),
            )
        self._probing = True
        return True

    def _failed(self) -> None:
        self._failures += 1
        doublings = max(self._failures - _FAILURES_TO_OPEN, 0)
        cooldown = min(_FIRST_COOLDOWN_S * 2.0 ** min(doublings, 30), self._max_cooldown_s)
        self._opens_at = self._clock.monotonic() + cooldown
