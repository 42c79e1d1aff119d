"""When to call again, how long to go on, and a circuit breaker.

Source for Retry-After: RFC 9110, section 10.2.3.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final, Never

from tenacity import (
    RetryCallState,
    retry_base,
    retry_if_exception_type,
    retry_if_not_exception_type,
    wait_exception,
)

from schemas.errors import (
    ExpiredError,
    InvalidAnswerError,
    RefusedError,
    RetryError,
    TeacherAwayError,
    TeacherPermanentError,
    TeacherStateError,
    TeacherUnavailableError,
    TurnedAwayError,
)
from schemas.retry import Backoff, Wait, failure
from schemas.settings import TeacherSettings

_FIRST_WAIT_S = 0.5
_FAILURES_TO_OPEN = 5
_FIRST_COOLDOWN_S = 1.0
_LONGEST_REFUSED_S = 300.0
"""Between two tries of an endpoint that refuses us: some 80 in six hours, which cost nothing."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, given in so that tests need not wait. `now` is Unix time in seconds."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


def waits(*, max_wait_s: float, lot: random.Random) -> Wait:
    """Wait as long as the server wishes, and on top of it a backoff; each at most `max_wait_s`.

    Of the backoff at least half is waited and never more than all of it: so `/live` knows how
    long a teacher that goes on trying may be quiet.
    """

    def wish_s(error: BaseException) -> float:
        wish_s = error.retry_after_s if isinstance(error, TeacherUnavailableError) else None
        return min(wish_s or 0.0, max_wait_s)

    return wait_exception(wish_s) + Backoff(_FIRST_WAIT_S, max_wait_s, spread=(0.5, 1.0), lot=lot)


def read_wish(headers: Mapping[str, str], *, now: float) -> float | None:
    """Read how many seconds the server wants us to wait, or None; Azure's own header is finer."""
    fine_ms = parse_retry_after(headers.get("retry-after-ms"), now=now)
    return (
        parse_retry_after(headers.get("retry-after"), now=now)
        if fine_ms is None
        else fine_ms / 1000
    )


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


MAY_PASS: Final = retry_if_exception_type(TeacherUnavailableError) & retry_if_not_exception_type(
    TeacherPermanentError
)
"""What is tried again by whoever cannot wait for a person."""
_PASSES_IN_TIME: Final = retry_if_exception_type(TeacherUnavailableError)


class Patience:
    """How long one request is tried for: `spent` tells tenacity when to stop.

    To be turned away is no attempt, nor is a ledger that is locked, nor, where there is an
    expiry, a teacher that is away or refuses us: they are waited out until then. Without an
    expiry, the waits are as long as between all the attempts at most, and a refusal of us ends
    them at once.
    """

    def __init__(
        self, settings: TeacherSettings, clock: Clock, *, expires_at_ms: int | None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._expires_at_ms = expires_at_ms
        self._free: tuple[type[Exception], ...] = (TurnedAwayError, TeacherStateError)
        if expires_at_ms is not None:
            self._free += (TeacherAwayError, TeacherPermanentError)
        self._failures = 0

    @property
    def may_pass(self) -> retry_base:
        """What is tried again."""
        return MAY_PASS if self._expires_at_ms is None else _PASSES_IN_TIME

    def spent(self, state: RetryCallState) -> bool:
        """Whether the attempts are used up, or the next would come too late."""
        self._failures += not isinstance(failure(state), self._free)
        return self._no_attempt_left or self._too_late(state)

    def give_up(self, state: RetryCallState) -> Never:
        """Raise the last error, or `ExpiredError` where it was for want of time."""
        error = failure(state)
        if self._expires_at_ms is None or self._no_attempt_left:
            raise error
        raise ExpiredError("the request expires before the next try") from error

    @property
    def _no_attempt_left(self) -> bool:
        return self._failures >= self._settings.max_attempts

    def _too_late(self, state: RetryCallState) -> bool:
        wait_s = state.upcoming_sleep
        if self._expires_at_ms is not None:
            return self._clock.now() + wait_s >= self._expires_at_ms / 1000
        longest_s = self._settings.max_attempts * self._settings.max_retry_wait_s
        return state.idle_for + wait_s > longest_s


@dataclass(frozen=True, slots=True)
class Outage:
    """An endpoint that does not answer, or `refuses` us: since when, and when it was last tried.

    Both are Unix time in seconds; `why` is what it said last.
    """

    since_s: float
    tried_s: float
    why: str
    refuses: bool


class Circuit:
    """Opens after five failures in a row; then calls are turned away for a while.

    It retries nothing, so tenacity, which has no such thing, has no part in it.

    Calls that were under way together fail together, and count once. After the pause one
    call goes ahead as a probe: its success closes the circuit, its failure doubles the
    pause, up to `max_cooldown_s`.

    An endpoint that refuses us opens it at once, and is tried again after up to five minutes.
    Until it answers, who is held back is told of the refusal.

    A failure that leaves it open is the endpoint's and not the text's: it is raised as
    `TeacherAwayError`, which whoever has an expiry waits out.
    """

    def __init__(self, *, clock: Clock, max_cooldown_s: float) -> None:
        self._clock = clock
        self._max_cooldown_s = max_cooldown_s
        self._failures = 0
        self._opens_at = 0.0
        self._probing = False
        self.refusal: TeacherPermanentError | None = None
        """Why the endpoint refuses us, until it has answered again."""
        self.outage: Outage | None = None
        """What is wrong while the circuit is open."""

    @property
    def is_open(self) -> bool:
        """Whether calls are turned away, or only a probe is let through."""
        return self._failures >= _FAILURES_TO_OPEN

    @property
    def turns_away(self) -> bool:
        """Whether no call is let through now, not even a probe."""
        return self.is_open and (self._probing or self._opens_at > self._clock.monotonic())

    @contextmanager
    def call(self) -> Iterator[None]:
        """Wrap one call; raises `TurnedAwayError` instead when the circuit is open.

        A `RetryError` out of the call is a failure. A refusal or an invalid answer is a success,
        since the endpoint did answer. Anything else says nothing about it, as a locked ledger; nor
        does 429, which the pace of calls answers (`stream.teacher.pacing`).
        Where the endpoint refuses us, that is raised instead: `TeacherPermanentError`.
        """
        probe = self._admit()
        known = self._failures
        try:
            yield
        except (TeacherStateError, TurnedAwayError):
            raise
        except RetryError as error:
            # One that began before the last counted failure says nothing new.
            if known == self._failures:
                self._failed(error)
            if self.is_open and not isinstance(error, TeacherPermanentError):
                raise TeacherAwayError(str(error), retry_after_s=_wish_s(error)) from error
            raise
        except (RefusedError, InvalidAnswerError):
            self.answered()
            raise
        else:
            self.answered()
        finally:
            # Also when the probe said nothing, having been cancelled: then another may try.
            self._probing = self._probing and not probe

    def _admit(self) -> bool:
        if not self.is_open:
            return False
        left = self._opens_at - self._clock.monotonic()
        if left > 0 or self._probing:
            raise self._held_back(max(left, _FIRST_COOLDOWN_S))
        self._probing = True
        return True

    def _held_back(self, left_s: float) -> TeacherUnavailableError:
        if self.refusal is not None:
            return TeacherPermanentError(str(self.refusal), retry_after_s=left_s)
        message = "the circuit is open after repeated failures"
        return TurnedAwayError(message, retry_after_s=left_s)

    def answered(self) -> None:
        """Close it: the endpoint does answer."""
        self._failures = 0
        self.refusal = None
        self.outage = None

    def _failed(self, error: RetryError) -> None:
        self._failures += 1
        if isinstance(error, TeacherPermanentError):
            self.refusal = error
            self._failures = max(self._failures, _FAILURES_TO_OPEN)
        longest_s = self._max_cooldown_s if self.refusal is None else _LONGEST_REFUSED_S
        if self.is_open:
            now_s = self._clock.now()
            since_s = self.outage.since_s if self.outage else now_s
            self.outage = Outage(since_s, now_s, str(error), self.refusal is not None)
        doublings = max(self._failures - _FAILURES_TO_OPEN, 0)
        cooldown = min(_FIRST_COOLDOWN_S * 2.0 ** min(doublings, 30), longest_s)
        self._opens_at = self._clock.monotonic() + cooldown


def _wish_s(error: RetryError) -> float | None:
    return error.retry_after_s if isinstance(error, TeacherUnavailableError) else None
