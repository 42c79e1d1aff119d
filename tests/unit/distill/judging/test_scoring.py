from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.judging.scoring import (
    exactly_right,
    f1_interval,
    fact_counts,
    paired_bootstrap,
    score,
    score_intervals,
    share_interval,
)
from schemas.types import Fact


def entity(start: int, label: str = "PER", *, length: int = 3) -> Fact:
    return start, start + length, label


def test_an_entity_counts_only_when_both_ends_and_the_label_agree() -> None:
    gold = [[entity(0), entity(10), entity(20), entity(30)]]
    said = [[entity(0), entity(10, "ORG"), entity(20, length=4)]]
    scores = score(gold, said)
    assert (scores.overall.correct, scores.overall.predicted, scores.overall.gold) == (1, 3, 4)
    assert scores.precision == pytest.approx(1 / 3)
    assert scores.recall == pytest.approx(1 / 4)
    assert scores.f1 == pytest.approx(2 / 7)


def test_each_label_has_its_own_scores() -> None:
    gold = [[entity(0)], [entity(0, "LOC"), entity(5, "LOC")]]
    said = [[entity(0)], [entity(0, "LOC"), entity(5, "ORG")]]
    per_label = score(gold, said).per_label
    assert per_label["PER"].f1 == 1
    assert per_label["LOC"].recall == 0.5
    assert (per_label["ORG"].precision, per_label["ORG"].gold) == (0, 0)


def test_a_corpus_without_entities_and_a_silent_student_score_zero() -> None:
    assert score([[], []], [[], []]).f1 == 0


def test_an_entity_said_twice_counts_once() -> None:
    assert score([[entity(0)]], [[entity(0), entity(0)]]).precision == 1


def test_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="argument"):
        score([[]], [[], []])


def test_record_counts_add_up_to_the_scores() -> None:
    gold, said = [[entity(0)], []], [[entity(0)], [entity(1)]]
    assert fact_counts(gold, said).tolist() == [[1, 1, 1], [0, 1, 0]]


def test_a_record_is_right_when_nothing_is_missing_and_nothing_added() -> None:
    gold = [[], [entity(0)], [entity(0)], []]
    said = [[], [entity(0)], [], [entity(0)]]
    assert exactly_right(gold, said).tolist() == [True, True, False, False]


def test_no_records_give_no_interval_wider_than_zero() -> None:
    interval = f1_interval([], [], resamples=10, confidence=0.9, seed=0)
    assert (interval.estimate, interval.low, interval.high) == (0, 0, 0)


def test_a_student_against_itself_gains_exactly_nothing() -> None:
    gold = [[entity(0)], [entity(1)], []] * 20
    said = [[entity(0)], [], [entity(4)]] * 20
    interval = paired_bootstrap(gold, said, said, resamples=200, confidence=0.9, seed=1)
    assert (interval.estimate, interval.low, interval.high) == (0, 0, 0)


def test_the_gain_is_the_difference_of_both_f1() -> None:
    gold = [[entity(0)]] * 10
    champion = [[entity(0)]] * 5 + [[]] * 5
    challenger = [[entity(0)]] * 8 + [[]] * 2
    interval = paired_bootstrap(gold, champion, challenger, resamples=500, confidence=0.9, seed=3)
    gain = score(gold, challenger).f1 - score(gold, champion).f1
    assert interval.estimate == pytest.approx(gain)
    assert interval.low < gain < interval.high


def test_the_same_seed_gives_the_same_interval() -> None:
    gold = [[entity(0)], [entity(1)]] * 30
    said = [[entity(0)], []] * 30
    first, again, other = (
        f1_interval(gold, said, resamples=100, confidence=0.9, seed=seed) for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other


def test_the_interval_covers_the_true_f1_about_as_often_as_it_says() -> None:
    """400 samples of 150 records from a population whose F1 is known: 2c / (p + g) = 0.7."""
    generator = random.Random(5)
    covered = 0
    for trial in range(400):
        found = [generator.random() < 0.7 for _ in range(150)]
        gold = [[entity(0)] for _ in found]
        said = [[entity(0)] if right else [entity(9)] for right in found]
        interval = f1_interval(gold, said, resamples=200, confidence=0.9, seed=trial)
        covered += interval.low <= 0.7 <= interval.high
    assert 0.85 < covered / 400 < 0.95


def test_drawing_distinct_rows_is_the_plain_bootstrap() -> None:
    """Against the slow textbook way: both spreads agree."""
    generator = np.random.default_rng(0)
    found = generator.random(300) < 0.6
    gold = [[entity(0)] for _ in found]
    said = [[entity(0)] if right else [] for right in found]
    fast = f1_interval(gold, said, resamples=4000, confidence=0.9, seed=1)
    draws = []
    for _ in range(2000):
        correct = found[generator.integers(0, 300, 300)].sum()
        draws.append(2 * correct / (300 + correct))
    low, high = np.quantile(draws, [0.05, 0.95])
    assert fast.low == pytest.approx(low, abs=0.006)
    assert fast.high == pytest.approx(high, abs=0.006)


_records = st.lists(
    st.lists(st.builds(entity, st.integers(0, 5), st.sampled_from(["PER", "ORG"])), max_size=4),
    max_size=6,
)


@settings(max_examples=50)
@given(_records, st.randoms(use_true_random=False))
def test_f1_is_symmetric_bounded_and_one_only_for_equals(
    gold: list[list[Fact]], generator: random.Random
) -> None:
    said = [generator.choice(gold) for _ in gold]
    forth, back = score(gold, said), score(said, gold)
    assert 0 <= forth.f1 <= 1
    assert forth.f1 == pytest.approx(back.f1)
    assert (forth.f1 == 1) == (bool(exactly_right(gold, said).all()) and any(gold))


def test_where_each_record_has_one_category_the_f1_is_the_accuracy() -> None:
    gold = [{(0, 0, label)} for label in "aabbc"]
    said = [{(0, 0, label)} for label in "abbbc"]
    scores = score(gold, said)
    assert scores.f1 == pytest.approx(0.8)
    assert scores.macro_f1 == pytest.approx((2 / 3 + 4 / 5 + 1) / 3)
    right = exactly_right(gold, said)
    accuracy = share_interval(right, resamples=200, confidence=0.9, seed=3)
    assert accuracy == f1_interval(gold, said, resamples=200, confidence=0.9, seed=3)


def test_nothing_said_of_nothing_has_no_macro_f1() -> None:
    assert score([[]], [[]]).macro_f1 == 0


def test_precision_recall_and_f1_have_intervals_of_their_own() -> None:
    gold = [{(0, 1, "A"), (2, 3, "A")}] * 30
    said = [{(0, 1, "A")}] * 15 + [{(0, 1, "A"), (2, 3, "A"), (4, 5, "A")}] * 15

    found = score_intervals(gold, said, resamples=400, confidence=0.9, seed=0)

    assert found.precision.estimate == pytest.approx(45 / 60)
    assert found.recall.estimate == pytest.approx(45 / 60)
    assert found.precision.low < found.precision.estimate < found.precision.high
    assert found.f1 == f1_interval(gold, said, resamples=400, confidence=0.9, seed=0)
    nothing = score_intervals([], [], resamples=10, confidence=0.9, seed=0)
    assert (nothing.recall.low, nothing.recall.high) == (0, 0)
