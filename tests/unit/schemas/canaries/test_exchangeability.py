from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from schemas.canaries.exchangeability import Betting, Novelty, Ranks, lot

LAWS: dict[str, Callable[[random.Random], float]] = {
    "never strange": lambda _: 0.0,
    "rarely": lambda draw: float(draw.random() < 0.02),
    "mostly": lambda draw: float(draw.random() < 0.7),
    "by degrees": lambda draw: round(draw.random() ** 3, 1),
}


def capitals(values: Iterator[float], *, seed: int = 0) -> Iterator[float]:
    betting, ranks = Betting(), Ranks()
    for n, value in enumerate(values):
        betting.take(ranks.p_value(value, lot(str(seed), n)))
        yield betting.capital


@pytest.mark.parametrize("before", [[], [0.3], [0.001, 0.9, 0.02, 0.04]])
def test_a_bet_on_the_next_p_value_is_fair_whatever_came_before(before: list[float]) -> None:
    grid = 2000  # a multiple of every bet's border, so that the mean is exact

    def capital(last: float | None) -> float:
        betting = Betting()
        for p_value in [*before, *([] if last is None else [last])]:
            betting.take(p_value)
        return betting.capital

    mean = sum(capital((n + 0.5) / grid) for n in range(grid)) / grid
    assert mean == pytest.approx(capital(None))


@pytest.mark.parametrize("law", LAWS)
def test_one_law_however_strange_is_seldom_taken_for_a_change(law: str) -> None:
    alarms = 0
    for seed in range(60):
        draw = random.Random(seed)
        values = (LAWS[law](draw) for _ in range(200))
        alarms += max(capitals(values, seed=seed)) >= 5
    assert alarms <= 60 / 5


def test_a_law_that_turns_strange_late_is_noticed_soon_and_when_it_began_is_told() -> None:
    draw = random.Random(3)
    betting, ranks = Betting(), Ranks()
    for n in range(900):
        strange = draw.random() < (0.02 if n < 800 else 0.4)
        betting.take(ranks.p_value(float(strange), lot("a", n)))
        if betting.capital >= 1000:
            break
    assert 800 < n < 840
    assert 770 <= betting.began() <= 803


def test_few_strange_values_in_short_past_are_no_proof() -> None:
    assert max(capitals(iter([0.0] * 3 + [1.0] * 5))) < 20


def test_p_values_of_ties_are_uniform() -> None:
    ranks = Ranks()
    found = sorted(ranks.p_value(0.0, lot("ties", n)) for n in range(400))
    assert all(abs(p - n / 400) < 0.08 for n, p in enumerate(found))


def test_a_p_value_counts_what_is_as_strange_or_stranger() -> None:
    ranks = Ranks()
    for value in (0.0, 1.0, 0.5):
        ranks.p_value(value, 0.5)
    assert ranks.p_value(0.5, 0.5) == (1 + 0.5 * 2) / 4


def test_rare_names_are_strange_and_names_that_take_turns_are_not() -> None:
    names = Novelty()
    for n in range(100):
        names.p_value("ab"[n % 2], 0.5)
    assert names.p_value("c", 0.5) == 0.5 / 101
    assert names.p_value("a", 0.5) > 0.5


def test_everybody_draws_the_same_lots_and_they_are_spread() -> None:
    lots = [lot("x", n) for n in range(200)]
    assert lots == [lot("x", n) for n in range(200)]
    assert lots != [lot("y", n) for n in range(200)]
    assert abs(sum(lots) / 200 - 0.5) < 0.08
