from __future__ import annotations

import numpy as np
import pytest

from distill.labels.written.diversity import (
    balance,
    distinct_n,
    evenness,
    novelties,
    spread,
    words_of,
)

X, Y = np.eye(2, dtype=np.float32)


def test_distinct_n_is_the_share_of_different_n_grams() -> None:
    assert distinct_n(["a b", "A b c"], 1) == 3 / 5
    assert distinct_n(["a b", "A b c"], 2) == 2 / 3
    assert distinct_n(["a"], 2) == 0


def test_characters_are_words_where_none_are_parted_by_spaces() -> None:
    assert words_of("東京 and 大阪") == ["東", "京", "and", "大", "阪"]


def test_the_spread_is_the_mean_distance_of_two() -> None:
    assert spread(np.stack([X, X])) == pytest.approx(0)
    assert spread(np.stack([X, Y])) == pytest.approx(1)
    assert spread(np.stack([X, X, Y])) == pytest.approx(2 / 3)
    assert spread(X[None]) == 0


def test_novelty_is_the_distance_to_the_nearest_that_came_before() -> None:
    nothing = np.zeros((0, 0), dtype=np.float32)
    assert novelties(nothing, np.stack([X, X, Y])) == pytest.approx([1, 0, 1])
    assert novelties(np.stack([Y]), np.stack([X, Y])) == pytest.approx([1, 0])


def test_evenness_is_one_for_equal_counts_and_nought_for_one_label_alone() -> None:
    assert evenness({"a": 5, "b": 5}) == pytest.approx(1)
    assert evenness({"a": 5, "b": 0}) == pytest.approx(0)
    assert 0 < evenness({"a": 9, "b": 1}) < 1
    assert evenness({"a": 3}) == 1


def test_the_balance_names_labels_without_any_text_too() -> None:
    assert balance(["a", "a", "b"], ["a", "b", "c"]) == {"a": 2 / 3, "b": 1 / 3, "c": 0}
    assert balance([], ["a"]) == {"a": 0}
