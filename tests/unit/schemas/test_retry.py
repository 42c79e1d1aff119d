from __future__ import annotations

import math
import random

import pytest
from tenacity import AsyncRetrying, RetryCallState, retry_always, retry_if_exception_type

from schemas.retry import Backoff, Deadline, Streak, Wait, failure, patiently
from stream.testing.fake_time import FakeTime


def state(attempt: int) -> RetryCallState:
    made = RetryCallState(AsyncRetrying(), None, (), {})
    made.attempt_number = attempt
    return made


@pytest.mark.parametrize("spread", [(0.5, 1.5), (0.5, 1.0)])
def test_waits_double_up_to_the_longest_and_lie_within_the_spread(
    spread: tuple[float, float],
) -> None:
    backoff = Backoff(0.25, 10.0, spread=spread, lot=random.Random(1))
    for attempt in range(1, 12):
        middle = min(0.25 * 2 ** (attempt - 1), 10.0)
        assert spread[0] * middle <= backoff(state(attempt)) <= spread[1] * middle


def test_an_absurd_number_of_attempts_does_not_overflow() -> None:
    assert 4.5 <= Backoff(0.5, 9.0, spread=(0.5, 1.0))(state(10**6)) <= 9.0
    assert Backoff(0.0, 0.0)(state(10**6)) == 0.0


def test_two_lots_draw_different_waits() -> None:
    assert Backoff(1.0, 1.0)(state(1)) != Backoff(1.0, 1.0)(state(1))


def steady(seconds: float) -> Backoff:
    return Backoff(seconds, 100 * seconds, spread=(1.0, 1.0))


def test_a_streak_begins_anew_after_a_reset() -> None:
    streak = Streak(steady(1.0))
    assert [streak(state(attempt)) for attempt in (1, 2, 3)] == [1.0, 2.0, 4.0]
    streak.reset()
    assert [streak(state(attempt)) for attempt in (4, 5)] == [1.0, 2.0]


class Attempts:
    """Fail with the errors that were given, then succeed."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.made = 0

    async def __call__(self) -> str:
        self.made += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


async def tried(
    attempts: Attempts, fake_time: FakeTime, wait: Wait, deadline: Deadline | None = None
) -> str:
    return await patiently(
        attempts,
        retry=retry_if_exception_type(OSError),
        wait=wait,
        stop=deadline.passed if deadline else lambda _: False,
        sleep=fake_time.sleep,
    )


async def test_what_may_pass_is_tried_again_after_the_waits() -> None:
    fake_time = FakeTime()
    assert await tried(Attempts(OSError(), OSError()), fake_time, steady(1.0)) == "done"
    assert fake_time.slept_s == [1.0, 2.0]


async def test_any_other_error_is_raised_at_once() -> None:
    attempts = Attempts(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await tried(attempts, FakeTime(), steady(1.0))
    assert attempts.made == 1


async def test_the_last_attempt_comes_when_the_time_is_up_and_its_error_is_raised() -> None:
    fake_time = FakeTime()
    deadline = Deadline(5.0, clock=fake_time.clock.monotonic)
    attempts = Attempts(*(OSError(number) for number in range(9)))
    with pytest.raises(OSError, match="3"):
        await tried(attempts, fake_time, deadline.within(steady(1.0)), deadline)
    assert fake_time.slept_s == [1.0, 2.0, 2.0]


async def test_without_an_end_it_goes_on_for_ever() -> None:
    fake_time = FakeTime()
    deadline = Deadline(math.inf, clock=fake_time.clock.monotonic)
    attempts = Attempts(*[OSError()] * 50)
    assert await tried(attempts, fake_time, deadline.within(steady(1.0)), deadline) == "done"
    assert fake_time.slept_s[-1] == 100.0


async def test_whoever_gives_up_says_why_and_is_told_the_failure() -> None:
    told: list[Exception] = []

    def give_up(at: RetryCallState) -> str:
        told.append(failure(at))
        return "gave up"

    error = OSError("gone")
    gave_up = await patiently(
        Attempts(error),
        retry=retry_always,
        wait=steady(1.0),
        stop=lambda _: True,
        give_up=give_up,
        sleep=FakeTime().sleep,
    )
    assert gave_up == "gave up"
    assert told == [error]


def test_an_attempt_that_did_not_fail_has_no_failure() -> None:
    with pytest.raises(TypeError):
        failure(state(1))
