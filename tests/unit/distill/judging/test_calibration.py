from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.judging.calibration import (
    crossfitted,
    expected_calibration_error,
    fit_calibration,
)

NONE = np.empty(0)
NO_TRUTH = np.empty(0, dtype=np.bool_)


def _drawn(n: int, *, slope: float, intercept: float) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and truth that follows a known calibration."""
    rng = np.random.default_rng(7)
    scores = rng.uniform(0.02, 0.98, n)
    chances = 1 / (1 + np.exp(-(slope * np.log(scores / (1 - scores)) + intercept)))
    return scores, rng.random(n) < chances


def test_a_known_calibration_is_found_again() -> None:
    scores, right = _drawn(20_000, slope=0.6, intercept=-0.8)

    fitted = fit_calibration(scores, right)

    assert fitted.slope == pytest.approx(0.6, abs=0.05)
    assert fitted.intercept == pytest.approx(-0.8, abs=0.05)


def test_each_half_is_calibrated_by_the_other() -> None:
    scores, right = _drawn(4_000, slope=0.6, intercept=-0.8)
    first = np.arange(4_000) % 2 == 0
    found = crossfitted(scores, right, first)
    assert found[first] == pytest.approx(
        fit_calibration(scores[~first], right[~first]).apply(scores[first])
    )
    assert expected_calibration_error(found, right) < 0.03
    # What a half is made of does not move its own confidences.
    swapped = np.where(first, ~right, right)
    assert crossfitted(scores, swapped, first)[first] == pytest.approx(found[first])


def test_no_examples_leave_scores_as_they_are() -> None:
    fitted = fit_calibration(NONE, NO_TRUTH)

    assert (fitted.slope, fitted.intercept) == (1.0, 0.0)


def test_a_handful_of_examples_moves_a_confidence_only_a_little() -> None:
    fitted = fit_calibration(np.array([0.9, 0.9]), np.array([False, False]))

    assert 0.4 < fitted.apply(0.9) < 0.9


def test_scores_that_mislead_still_give_a_rising_calibration() -> None:
    scores, right = _drawn(2_000, slope=-2.0, intercept=0.5)

    fitted = fit_calibration(scores, right)

    assert 0 < fitted.slope < 0.1
    assert fitted.apply(0.5) == pytest.approx(right.mean(), abs=0.05)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=40),
)
def test_any_evidence_gives_a_finite_rising_calibration(pairs: list[tuple[float, bool]]) -> None:
    fitted = fit_calibration(
        np.array([score for score, _ in pairs], dtype=np.float64),
        np.array([right for _, right in pairs], dtype=np.bool_),
    )

    assert fitted.slope > 0
    assert np.isfinite([fitted.slope, fitted.intercept]).all()


def test_calibrated_confidences_err_less_than_raw_scores() -> None:
    scores, right = _drawn(4_000, slope=0.5, intercept=-1.0)

    confidences = np.asarray(fit_calibration(scores, right).apply(scores))

    assert expected_calibration_error(confidences, right) < 0.03
    assert expected_calibration_error(scores, right) > 0.1


def test_the_error_is_the_gap_between_confidence_and_truth() -> None:
    confidences, right = np.full(10, 0.9), np.array([True] * 7 + [False] * 3)

    # Ten bins of one record each: seven gaps of 0.1, three of 0.9.
    assert expected_calibration_error(confidences, right) == pytest.approx(0.34)
    assert expected_calibration_error(NONE, NO_TRUTH) == 0.0
