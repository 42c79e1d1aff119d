from __future__ import annotations

import random

import pytest

from schemas.promises.watching import Watch


def noticed(rng: random.Random, rates: list[float], *, agreement: float = 0.98) -> int | None:
    """Return after how many audits the watch says that the promise is broken, if it does."""
    watch = Watch(agreement, 0.05)
    for n, rate in enumerate(rates, start=1):
        watch.see(right=rng.random() >= rate)
        if watch.is_broken:
            return n
    return None


def test_a_promise_that_is_just_kept_is_seldom_called_broken_however_often_one_looks() -> None:
    rng = random.Random(1)
    alarms = [noticed(rng, [0.02] * 600) for _ in range(100)]
    assert sum(alarm is not None for alarm in alarms) <= 5


@pytest.mark.parametrize("calm", [0, 300])
def test_a_break_is_noticed_soon_however_much_good_came_before(calm: int) -> None:
    rng = random.Random(2)
    alarms = [noticed(rng, [0.0] * calm + [0.3] * 100) for _ in range(50)]
    assert all(alarm is not None and calm < alarm <= calm + 60 for alarm in alarms)


def test_the_watch_tells_since_when() -> None:
    watch = Watch(0.98, 0.05)
    for n in range(300):
        watch.see(right=n < 240)
    assert watch.is_broken
    assert watch.since == 240


def test_of_long_ago_something_is_forgotten_and_nothing_breaks() -> None:
    watch = Watch(0.9, 0.05)
    for _ in range(3000):
        watch.see(right=True)
    assert (watch.n, watch.errors, watch.is_broken) == (3000, 0, False)


def test_a_promise_of_everything_breaks_with_the_first_error() -> None:
    watch = Watch(1.0, 0.05)
    watch.see(right=True)
    assert not watch.is_broken
    watch.see(right=False)
    assert watch.is_broken


def test_a_watch_that_saw_nothing_says_nothing() -> None:
    watch = Watch(0.98, 0.05)
    assert not watch.is_broken
    assert watch.since == 0
