from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.lab.demo.trends import RECENT, DriftWatch, rise, share, windows


def coins(n: int, p: float, *, seed: int = 1) -> list[bool]:
    rng = random.Random(seed)
    return [rng.random() < p for _ in range(n)]


def test_a_clear_rise_is_seen() -> None:
    assert rise(coins(1000, 0.1), coins(RECENT, 0.5))


def test_a_steady_share_is_no_rise() -> None:
    assert not any(
        rise(coins(600, 0.3, seed=i), coins(RECENT, 0.3, seed=1000 + i)) for i in range(300)
    )


def test_a_fall_is_no_rise() -> None:
    assert not rise(coins(1000, 0.5), coins(RECENT, 0.1))


def test_too_few_records_say_nothing() -> None:
    assert not rise([False] * (RECENT - 1), [True] * RECENT)
    assert not rise([False] * RECENT, [True] * (RECENT - 1))


def watched(*served: tuple[str, list[bool]]) -> DriftWatch:
    watch = DriftWatch()
    for student, flags in served:
        for wanted in flags:
            watch.add(student=student, wanted=wanted)
    return watch


def test_a_drift_is_told_once_for_each_student() -> None:
    quiet_then_loud = [*coins(600, 0.05), *coins(600, 0.6)]
    watch = watched(("v1", quiet_then_loud), ("v2", quiet_then_loud))
    assert len(watch.drifts) == 2
    assert 600 < watch.drifts[0].at < 600 + 2 * RECENT


def test_a_drift_soon_after_a_swap_is_seen_all_the_same() -> None:
    watch = watched(("v1", coins(600, 0.05)), ("v2", [*coins(20, 0.05), *coins(200, 0.6)]))
    assert [620 < drift.at <= 820 for drift in watch.drifts] == [True]


def test_a_student_with_fewer_doubts_is_no_drift() -> None:
    assert not watched(("v1", coins(600, 0.9)), ("v2", coins(600, 0.1))).drifts


def test_the_share_of_nothing_is_nothing() -> None:
    assert share([]) == 0.0


@settings(max_examples=50)
@given(st.lists(st.booleans(), max_size=200), st.integers(1, 50))
def test_windows_cover_every_record_once(flags: list[bool], size: int) -> None:
    shares = windows(flags, size)
    sizes = [len(flags[i : i + size]) for i in range(0, len(flags), size)]
    assert round(sum(s * n for s, n in zip(shares, sizes, strict=True))) == sum(flags)
