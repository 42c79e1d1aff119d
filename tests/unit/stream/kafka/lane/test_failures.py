from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import DecodeError, FailureShareError, TextError
from stream.kafka.lane.failures import FailureWindow, Judged


def judged(offset: int, *, failed: bool) -> Judged:
    return Judged(offset, DecodeError("not JSON") if failed else None)


def test_nothing_is_judged_before_the_window_is_full() -> None:
    window = FailureWindow(size=4, max_share=0.5)
    for offset in range(3):
        window.add(judged(offset, failed=True))
    with pytest.raises(FailureShareError, match="4 of the last 4 records failed"):
        window.add(judged(3, failed=True))


def test_a_share_at_the_limit_passes() -> None:
    window = FailureWindow(size=4, max_share=0.5)
    for offset in range(40):
        window.add(judged(offset, failed=offset % 2 == 0))


def test_the_first_failure_is_named_with_its_reason_and_where_it_lies() -> None:
    window = FailureWindow(size=3, max_share=0.5, where="text-7")
    window.add(Judged(10, TextError("too long")))
    window.add(Judged(11, None))
    window.add(Judged(12, None))
    window.add(Judged(15, DecodeError("the field 'body' is missing")))
    with pytest.raises(FailureShareError) as caught:
        window.add(Judged(16, TextError("x" * 10_000)))
    message = str(caught.value)
    assert "The first is at offset 15 of text-7 (undecodable: the field 'body' is" in message
    assert "delivered as dead letters" in message


def test_a_long_reason_is_cut() -> None:
    window = FailureWindow(size=1, max_share=0.0)
    with pytest.raises(FailureShareError) as caught:
        window.add(Judged(0, TextError("x" * 10_000)))
    assert len(str(caught.value)) < 600


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 8), st.floats(0, 1))
@settings(max_examples=60)
def test_it_halts_exactly_when_a_full_window_holds_too_many(
    flags: list[bool], size: int, share: float
) -> None:
    too_many = [sum(flags[end - size : end]) > share * size for end in range(size, len(flags) + 1)]
    window = FailureWindow(size=size, max_share=share)
    taken = 0
    try:
        for failed in flags:
            window.add(judged(taken, failed=failed))
            taken += 1
    except FailureShareError:
        assert too_many.index(True) == taken + 1 - size
    else:
        assert not any(too_many)
