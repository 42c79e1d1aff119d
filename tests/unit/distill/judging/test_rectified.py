from __future__ import annotations

import numpy as np
import pytest

from distill.judging.rectified import LEAST, rectified


def drawn(n: int, *, mean: float, bias: float, noise: float) -> tuple[list[float], list[float]]:
    """Worths by people, and by a teacher who is off by `bias` and by chance."""
    rng = np.random.default_rng(3)
    people = rng.normal(mean, 1.0, n)
    return people.tolist(), (people + bias + rng.normal(0, noise, n)).tolist()


def test_a_teacher_who_foresees_people_narrows_the_interval_though_he_is_biased() -> None:
    people, teacher = drawn(2000, mean=0.3, bias=1.0, noise=0.2)
    gold, answers = list(zip(people, teacher, strict=True))[:100], teacher[100:]
    alone = rectified(gold, [], bound=2.0, confidence=0.9)
    both = rectified(gold, answers, bound=2.0, confidence=0.9)
    assert alone.followed == 0.0
    assert alone.mean.estimate == pytest.approx(np.mean(people[:100]))
    assert both.followed > 0.8
    assert both.mean.low < 0.3 < both.mean.high
    assert both.mean.high - both.mean.low < 0.6 * (alone.mean.high - alone.mean.low)
    assert both.variance < alone.variance


def test_a_teacher_who_does_not_is_left_out() -> None:
    people, _ = drawn(100, mean=0.3, bias=0.0, noise=0.0)
    _, guesses = drawn(600, mean=5.0, bias=0.0, noise=0.0)
    gold = list(zip(people, guesses[100:200][::-1], strict=True))
    found = rectified(gold, guesses[200:], bound=2.0, confidence=0.9)
    assert found.followed < 0.3
    assert found.mean.estimate == pytest.approx(np.mean(people), abs=0.1)


def test_gold_texts_that_all_agree_by_chance_prove_nothing() -> None:
    found = rectified([(2.0, 2.0)] * LEAST, [2.0] * 300, bound=2.0, confidence=0.9)
    assert found.is_told
    assert found.mean.low < 1.0 < found.mean.estimate


@pytest.mark.parametrize("n", range(LEAST))
def test_of_too_little_gold_all_is_possible(n: int) -> None:
    found = rectified([(2.0, 2.0)] * n, [2.0] * 300, bound=2.0, confidence=0.9)
    assert not found.is_told
    assert (found.mean.low, found.mean.high, found.gold) == (-2.0, 2.0, n)


def test_a_worse_challenger_whom_the_teacher_favours_passes_in_one_of_twenty() -> None:
    """The lower end is above the truth so often at most: 2,000 draws of 20 gold texts."""
    rng = np.random.default_rng(5)
    missed = 0
    for _ in range(2000):
        people = rng.choice([-2.0, 0.0, 2.0], 20, p=[0.4, 0.3, 0.3])  # the mean is -0.2
        favours = np.where(rng.random(20) < 0.5, 2.0, people)
        answers = rng.choice([-2.0, 0.0, 2.0], 200, p=[0.2, 0.15, 0.65])
        gold = list(zip(people, favours, strict=True))
        missed += rectified(gold, answers.tolist(), bound=2.0, confidence=0.9).mean.low > -0.2
    assert missed / 2000 <= 0.06
