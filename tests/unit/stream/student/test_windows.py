from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.student.windows import deciders, split_words

SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=60)


def ranges_of(sizes: list[int], *, capacity: int, stride: int) -> list[tuple[int, int]]:
    starts = np.cumsum([0, *sizes])
    return split_words(starts[:-1], n_pieces=int(starts[-1]), capacity=capacity, stride=stride)


@settings(max_examples=50, deadline=None)
@given(sizes=SIZES, capacity=st.integers(2, 20), stride=st.integers(0, 19))
def test_windows_cover_every_word_and_keep_to_their_capacity(
    sizes: list[int], capacity: int, stride: int
) -> None:
    ranges = ranges_of(sizes, capacity=capacity, stride=min(stride, capacity - 1))
    assert {word for first, last in ranges for word in range(first, last)} == set(range(len(sizes)))
    for first, last in ranges:
        assert sum(sizes[first:last]) <= capacity or last - first == 1


@settings(max_examples=50, deadline=None)
@given(sizes=SIZES, capacity=st.integers(2, 20), stride=st.integers(0, 19))
def test_every_word_is_decided_once_by_a_window_that_holds_it(
    sizes: list[int], capacity: int, stride: int
) -> None:
    ranges = ranges_of(sizes, capacity=capacity, stride=min(stride, capacity - 1))
    decided = deciders(ranges)
    assert [word for first, last in decided for word in range(first, last)] == list(
        range(len(sizes))
    )
    for (first, last), (outer_first, outer_last) in zip(decided, ranges, strict=True):
        assert outer_first <= first <= last <= outer_last


def test_neighbours_share_as_many_words_as_fit_in_the_stride() -> None:
    assert ranges_of([1] * 20, capacity=10, stride=4) == [(0, 10), (6, 16), (12, 20)]


def test_a_word_is_decided_where_it_is_farthest_from_a_border() -> None:
    assert deciders([(0, 10), (6, 16), (12, 20)]) == [(0, 8), (8, 14), (14, 20)]


def test_less_is_shared_where_the_next_word_needs_the_room() -> None:
    assert ranges_of([1, 1, 1, 8, 1], capacity=9, stride=3) == [(0, 3), (2, 4), (4, 5)]


def test_a_word_longer_than_a_window_stands_alone() -> None:
    assert ranges_of([1, 1, 50, 1], capacity=10, stride=2) == [(0, 2), (2, 3), (3, 4)]


def test_a_text_without_windows_decides_nothing() -> None:
    assert deciders([]) == []
