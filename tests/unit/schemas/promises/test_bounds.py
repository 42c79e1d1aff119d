from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom

from schemas.promises.bounds import (
    chance_of_so_few,
    is_proved,
    least_needed,
    lower_bound,
    sign_test,
)

counts = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(max_examples=50)
@given(counts, st.floats(0.01, 0.99))
def test_the_chance_is_that_of_the_binomial_distribution(
    count: tuple[int, int], rate: float
) -> None:
    errors, n = count
    assert chance_of_so_few(errors, n, rate) == pytest.approx(
        binom.cdf(errors, n, rate), rel=1e-6, abs=1e-12
    )


@settings(max_examples=50)
@given(st.integers(0, 300), st.integers(0, 300))
def test_the_sign_test_is_the_binomial_one(wins: int, losses: int) -> None:
    wanted = binom.sf(wins - 1, wins + losses, 0.5)
    assert sign_test(wins, losses) == pytest.approx(wanted, rel=1e-6, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(counts, st.floats(0.01, 0.5))
def test_the_bound_is_that_of_clopper_and_pearson(count: tuple[int, int], risk: float) -> None:
    errors, n = count
    wanted = beta.ppf(risk, n - errors, errors + 1) if errors < n else 0.0
    assert lower_bound(errors, n, risk=risk) == pytest.approx(wanted, abs=1e-9)


def test_149_faultless_records_prove_98_percent_at_95() -> None:
    assert least_needed(0.98, risk=0.05) == 149
    assert is_proved(0, 149, 0.98, risk=0.05)
    assert not is_proved(0, 148, 0.98, risk=0.05)


def test_each_error_has_its_price_in_faultless_records() -> None:
    needed = least_needed(0.98, risk=0.05, errors=2)
    assert needed is not None
    assert is_proved(2, needed, 0.98, risk=0.05)
    assert not is_proved(2, needed - 1, 0.98, risk=0.05)


def test_an_agreement_of_one_is_proved_by_nothing_and_one_of_zero_by_little() -> None:
    assert least_needed(1.0, risk=0.05) is None
    assert least_needed(0.0, risk=0.05) == 1


def test_no_records_bound_nothing() -> None:
    assert lower_bound(0, 0, risk=0.05) == 0.0
    assert not is_proved(0, 0, 0.5, risk=0.05)
