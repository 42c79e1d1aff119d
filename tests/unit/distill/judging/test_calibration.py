from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.judging.calibration import (
    choose_threshold,
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


def test_the_threshold_is_the_lowest_that_keeps_the_promise() -> None:
    confidences = np.linspace(0, 1, 1001)
    right = confidences >= 0.3

    # 90 % right from the threshold on: some 70 wrong ones beside 701 right ones.
    assert choose_threshold(confidences, right, 0.9) == pytest.approx(0.23, abs=0.015)


def test_a_share_that_might_be_luck_is_not_accepted() -> None:
    few = np.ones(5)

    assert choose_threshold(few, np.ones(5, np.bool_), 0.95) == 1.0
    assert choose_threshold(np.full(40, 0.8), np.ones(40, np.bool_), 0.95) == 0.8


def test_without_evidence_everything_is_wanted() -> None:
    assert choose_threshold(NONE, NO_TRUTH, 0.95) == 1.0


def test_records_of_one_confidence_are_accepted_together_or_not_at_all() -> None:
    confidences = np.array([0.9] * 50 + [0.5] * 50)
    right = np.array([True] * 50 + [True] * 25 + [False] * 25)

    assert choose_threshold(confidences, right, 0.9) == 0.9


def test_a_target_of_everything_right_accepts_nothing() -> None:
    assert choose_threshold(np.full(100, 0.99), np.ones(100, np.bool_), 1.0) == 1.0


def test_a_target_of_nothing_accepts_everything() -> None:
    assert choose_threshold(np.array([0.9, 0.1]), np.zeros(2, np.bool_), 0.0) == 1.0
