from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.labels.quotas import StreamText, largest_part, within_quota

PARTS = st.lists(st.floats(0.01, 1000), min_size=1, max_size=12)


@given(PARTS, st.floats(0.05, 1.0), st.sampled_from([0.0, 1.0, 500.0]))
def test_no_part_is_more_than_its_share_of_what_is_left(
    parts: list[float], share: float, others: float
) -> None:
    most = largest_part(parts, share, others=others)
    left = [min(part, most) for part in parts]
    reachable = share if others else max(share, 1 / len(parts))
    assert max(left) <= reachable * (sum(left) + others) * (1 + 1e-6)


@given(PARTS, st.floats(0.05, 1.0))
def test_nothing_is_cut_where_all_are_within_their_share(parts: list[float], share: float) -> None:
    others = max(parts) / share
    assert math.isinf(largest_part(parts, share, others=others))


def test_who_sends_a_hundred_times_as_much_gets_no_more() -> None:
    few, many = (largest_part([10, 10, 10, n], 0.4) for n in (100, 10_000))
    assert few == many == pytest.approx(20)


def test_two_producers_have_equal_parts_where_a_fifth_each_cannot_be() -> None:
    assert largest_part([1000, 30], 0.2) == pytest.approx(30)
    assert math.isinf(largest_part([1000], 0.2))
    assert math.isinf(largest_part([], 0.2))


def test_of_a_flood_the_newest_texts_stay_in_their_order() -> None:
    flood = [StreamText(f"flood {n}", "x") for n in range(100)]
    honest = [StreamText(f"text {n}", f"p{n % 4}") for n in range(40)]
    unknown = [StreamText("unknown")]
    kept = within_quota([*flood, *honest, *unknown], 0.25)
    assert Counter(one.producer for one in kept)["x"] == 13
    assert kept[0] == flood[-13]
    assert kept[13:] == [*honest, *unknown]


def test_texts_of_producers_that_nobody_names_all_stay() -> None:
    texts = [StreamText(str(n)) for n in range(50)]
    assert within_quota(texts, 0.2) == texts
