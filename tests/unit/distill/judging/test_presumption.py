from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.judging.presumption import UsualGain, expected_gain, patience_left

USUAL = UsualGain(mean=0.01, deviation=0.03)


def gains(mean: float, n: int, *, spread: float = 0.2) -> list[float]:
    """As many answers above the mean as below."""
    return [mean + spread * (-1) ** i for i in range(n)]


def test_answers_and_what_is_usual_are_weighed_by_their_precision() -> None:
    # Ten answers of a variance of 0.04 * 10 / 9 know their mean to 1 / 225.
    found = expected_gain(gains(-0.05, 10), least=10, usual=USUAL)
    assert found == pytest.approx((-0.05 * 225 + 0.01 / 0.0009) / (225 + 1 / 0.0009))


def test_few_answers_leave_the_word_to_what_is_usual_and_many_take_it() -> None:
    few, many = (expected_gain(gains(-0.01, n), least=2, usual=USUAL) for n in (20, 2000))
    assert few is not None
    assert many is not None
    assert many < 0 < few


def test_a_great_loss_convinces_by_a_dozen_answers() -> None:
    found = expected_gain(gains(-0.2, 12, spread=0.3), least=2)
    assert found is not None
    assert found < 0


@pytest.mark.parametrize("n", [0, 1, 19])
def test_where_too_few_were_heard_nothing_is_expected(n: int) -> None:
    assert expected_gain(gains(0.1, n), least=20) is None


def test_answers_that_are_all_alike_are_believed() -> None:
    assert expected_gain([-0.02] * 20, least=20) == pytest.approx(-0.02, abs=1e-6)


@pytest.mark.parametrize(
    ("patience", "without_winner", "left"),
    [(2, 0, 1), (2, 1, 0), (2, 5, 0), (1, 0, 0), (0, 0, None), (0, 9, None)],
)
def test_patience_is_spent_by_rounds_without_a_winner(
    patience: int, without_winner: int, left: int | None
) -> None:
    assert patience_left(patience, without_winner=without_winner) == left


@given(mean=st.floats(-0.3, 0.3), n=st.integers(2, 300))
def test_the_expectation_lies_between_the_two(mean: float, n: int) -> None:
    heard = gains(mean, n)
    found = expected_gain(heard, least=2, usual=USUAL)
    assert found is not None
    low, high = sorted((sum(heard) / n, USUAL.mean))
    assert low - 1e-9 <= found <= high + 1e-9
