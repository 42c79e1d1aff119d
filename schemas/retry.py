"""The one retry policy: tenacity's loop, a backoff with jitter, a deadline by a clock given in.

Who retries says what may pass (`retry`), how long to wait (`wait`) and when to give up (`stop`),
in tenacity's words. What does not wait for another try has loops of its own: polling for
something that is under way, a circuit breaker, a rate limit.

Source: "Exponential Backoff And Jitter" (AWS Architecture Blog).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from copy import copy
from typing import TypeAlias, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_base, stop_never, wait_exponential

T = TypeVar("T")

Wait: TypeAlias = Callable[[RetryCallState], float]
"""Seconds to wait after the attempt that just failed."""


class Backoff(wait_exponential):
    """Waits that double from `first_s` to `longest_s`, times a factor by lot.

    The lot keeps clients that failed together from returning together.
    """

    def __init__(
        self,
        first_s: float,
        longest_s: float,
        *,
        spread: tuple[float, float] = (0.5, 1.5),
        lot: random.Random | None = None,
    ) -> None:
        super().__init__(multiplier=first_s, max=longest_s)
        self._spread = spread
        self._lot = lot or random.Random()  # noqa: S311 - jitter is no secret

    def __call__(self, retry_state: RetryCallState) -> float:
        """Draw the wait after this attempt."""
        return super().__call__(retry_state) * self._lot.uniform(*self._spread)


class Streak:
    """The backoff of what goes on for ever: it begins anew after whatever `reset` is called for."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._attempts_before = 0
        self._anew = True

    def reset(self) -> None:
        """Forget the failures so far."""
        self._anew = True

    def __call__(self, state: RetryCallState) -> float:
        """Draw the wait after this attempt."""
        if self._anew:
            self._anew, self._attempts_before = False, state.attempt_number - 1
        within = copy(state)
        within.attempt_number -= self._attempts_before
        return self._backoff(within)


class Deadline:
    """A time to give up, on the event loop's clock or another one."""

    def __init__(self, timeout_s: float, *, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or asyncio.get_running_loop().time
        self.at_s = self._clock() + timeout_s

    @property
    def left_s(self) -> float:
        """Seconds until then."""
        return self.at_s - self._clock()

    def passed(self, _: RetryCallState) -> bool:
        """Whether to give up: a `stop` for `patiently`."""
        return self.left_s <= 0

    def within(self, wait: Wait) -> Wait:
        """Cut waits off where the time is up: the last attempt comes just then."""
        return lambda state: max(0.0, min(wait(state), self.left_s))


async def patiently(
    attempt: Callable[[], Awaitable[T]],
    *,
    retry: retry_base,
    wait: Wait,
    stop: Callable[[RetryCallState], bool] = stop_never,
    before_sleep: Callable[[RetryCallState], None] | None = None,
    give_up: Callable[[RetryCallState], T] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """Make attempts until one ends in what `retry` does not name: a result, or an error.

    Once `stop` says so, the last error is raised, or whatever `give_up` does is done. `sleep`
    may return early; the next attempt then begins. An attempt that raises tenacity's `TryAgain`
    is made again whatever `retry` says.
    """

    async def attempted() -> T:
        return await attempt()

    # One for each call: tenacity keeps what it is doing in the object, not in the call.
    retrying = AsyncRetrying(
        retry=retry,
        wait=wait,
        stop=stop,
        before_sleep=before_sleep,
        retry_error_callback=give_up,
        sleep=sleep,
        reraise=True,
    )
    result: T = await retrying(attempted)
    return result


def failure(state: RetryCallState) -> Exception:
    """Return the error of the attempt that just failed."""
    error = None if state.outcome is None else state.outcome.exception()
    if not isinstance(error, Exception):
        raise TypeError("the attempt did not fail")
    return error
