"""What a call took, split among its texts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream.teacher.completions import Usage
from stream.teacher.several.splitting import split_usage

WEIGHTS = st.lists(st.integers(1, 10_000), min_size=1, max_size=32)


@given(WEIGHTS, st.integers(0, 10**8), st.integers(0, 10**8), st.data())
def test_the_parts_are_the_call(told: list[int], ins: int, outs: int, data: st.DataObject) -> None:
    said = data.draw(st.lists(st.integers(0, 10_000), min_size=len(told), max_size=len(told)))
    parts = split_usage(Usage(ins, outs), told=told, said=said)
    assert len(parts) == len(told)
    assert sum(part.tokens_in for part in parts) == ins
    assert sum(part.tokens_out for part in parts) == outs
    assert all(part.tokens_in >= 0 <= part.tokens_out for part in parts)


def test_tokens_in_go_by_what_is_told_and_tokens_out_by_what_is_said() -> None:
    first, second = split_usage(Usage(100, 10), told=[30, 70], said=[4, 1])
    assert (first.tokens_in, first.tokens_out) == (30, 8)
    assert (second.tokens_in, second.tokens_out) == (70, 2)


def test_where_nothing_was_said_of_any_all_bear_alike() -> None:
    parts = split_usage(Usage(0, 10), told=[1, 9], said=[0, 0])
    assert [part.tokens_out for part in parts] == [5, 5]
