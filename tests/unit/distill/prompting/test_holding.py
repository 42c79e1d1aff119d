"""Whether an edit holds, and how often one may ask."""

from __future__ import annotations

import pytest

from distill.prompting.holding import ALPHA, held


def test_texts_count_and_not_facts_and_ties_do_not() -> None:
    found = held([3, 1, 0, 2], [0, 0, 1, 2], n_failed=0)

    assert (found.better, found.worse) == (2, 1)


def test_six_better_and_none_worse_hold_at_first_and_no_more_after_a_failure() -> None:
    first, second = (held([1] * 6, [0] * 6, n_failed=n) for n in (0, 1))

    assert first.holds
    assert not second.holds
    assert second.is_promising


def test_five_texts_can_never_hold() -> None:
    assert not held([9] * 5, [0] * 5, n_failed=0).holds


def test_all_the_error_of_a_search_adds_up_to_alpha() -> None:
    spent = sum(held([], [], n_failed=n).alpha for n in range(10_000))

    assert spent == pytest.approx(ALPHA, rel=1e-3)
    assert spent < ALPHA


def test_texts_must_match() -> None:
    with pytest.raises(ValueError, match="shorter"):
        held([1], [], n_failed=0)
