from __future__ import annotations

import numpy as np
import pytest

from distill.judging.sequential import confidence_sequence

CONFIDENCE = 0.90


def worths(mean: float, n: int, *, seed: int) -> list[float]:
    """Draws of -2, 0 and 2 with this mean."""
    generator = np.random.default_rng(seed)
    up = 0.3 + mean / 4
    return [float(x) for x in generator.choice([2.0, 0.0, -2.0], size=n, p=[up, 0.4, 0.6 - up])]


def test_without_values_everything_is_possible() -> None:
    found = confidence_sequence([], bound=4.0, confidence=CONFIDENCE)
    assert [found.estimate, found.low, found.high] == pytest.approx([0, -4, 4])


def test_however_often_one_looks_the_truth_is_rarely_outside() -> None:
    # The interval after the last of 150 values lies within those after all the earlier ones, so
    # it holds the truth only where all of these do.
    missed = [0, 0]
    trials = 400
    for seed in range(trials):
        found = confidence_sequence(worths(-0.2, 150, seed=seed), bound=4.0, confidence=CONFIDENCE)
        missed[0] += found.low > -0.2
        missed[1] += found.high < -0.2
    assert missed[0] <= 0.05 * trials
    assert missed[1] <= 0.05 * trials


def test_more_values_never_widen_the_interval() -> None:
    values = worths(0.3, 200, seed=1)
    found = [
        confidence_sequence(values[:n], bound=4.0, confidence=CONFIDENCE) for n in range(0, 201, 20)
    ]
    assert [one.low for one in found] == sorted(one.low for one in found)
    assert [one.high for one in found] == sorted((one.high for one in found), reverse=True)


def test_a_clear_gain_is_seen_in_few_values() -> None:
    assert confidence_sequence([2.0] * 5, bound=4.0, confidence=CONFIDENCE).low < 0
    assert confidence_sequence([2.0] * 20, bound=4.0, confidence=CONFIDENCE).low > 0


def test_the_ends_are_those_of_the_opposite_values() -> None:
    values = worths(0.2, 60, seed=3)
    up = confidence_sequence(values, bound=3.0, confidence=CONFIDENCE)
    down = confidence_sequence([-x for x in values], bound=3.0, confidence=CONFIDENCE)
    assert [up.low, up.high] == pytest.approx([-down.high, -down.low])


def test_values_beyond_the_bound_count_as_the_bound() -> None:
    wild = confidence_sequence([9.0, -1.0, 9.0], bound=2.0, confidence=CONFIDENCE)
    tame = confidence_sequence([2.0, -1.0, 2.0], bound=2.0, confidence=CONFIDENCE)
    assert wild == tame
    assert wild.estimate == 1.0


@pytest.mark.parametrize(("mean", "least"), [(0.3, 0.8), (0.6, 0.99)])
def test_a_gain_is_found_most_of_the_time(mean: float, least: float) -> None:
    found = [
        confidence_sequence(worths(mean, 300, seed=seed), bound=4.0, confidence=CONFIDENCE).low
        for seed in range(100)
    ]
    assert sum(low > 0 for low in found) >= least * 100
