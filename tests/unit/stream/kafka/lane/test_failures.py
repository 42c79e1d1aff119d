from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import FailureShareError
from stream.kafka.lane.failures import FailureWindow


def test_nothing_is_judged_before_the_window_is_full() -> None:
    window = FailureWindow(size=4, max_share=0.5)
    for _ in range(3):
        window.add(failed=True)
    with pytest.raises(FailureShareError, match="4 of the last 4 records failed"):
        window.add(failed=True)


def test_a_share_at_the_limit_passes() -> None:
    window = FailureWindow(size=4, max_share=0.5)
    for failed in (True, False) * 20:
        window.add(failed=failed)


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
            window.add(failed=failed)
            taken += 1
    except FailureShareError:
        assert too_many.index(True) == taken + 1 - size
    else:
        assert not any(too_many)
