from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.teacher.rate_limits import Limit, Told, parse_reset, read_told

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("1s", 1.0),
        ("20ms", 0.02),
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("59.7", 59.7),
        ("2023-11-14T22:13:50Z", 30.0),
        ("2023-11-14T22:13:50", None),
        ("2000-01-01T00:00:00+00:00", 0.0),
        ("soon", None),
        ("nan", None),
        ("-3", None),
        ("9" * 41, None),
    ],
)
def test_resets_are_read_in_every_form_that_servers_use(
    value: str | None, seconds: float | None
) -> None:
    assert parse_reset(value, now=NOW) == seconds


def headers(most: str, left: str, reset: str = "1s") -> dict[str, str]:
    return {
        "x-ratelimit-limit-requests": most,
        "x-ratelimit-remaining-requests": left,
        "x-ratelimit-reset-requests": reset,
    }


def test_headers_tell_what_is_left_where_they_tell_both_figures() -> None:
    assert read_told(headers("60", "59"), "requests", now=NOW) == Told(60, 59, 1.0)
    assert read_told(headers("60", "70"), "requests", now=NOW) == Told(60, 60, 1.0)
    assert read_told(headers("60", "59"), "tokens", now=NOW) is None
    for most, left in (("0", "0"), ("-1", "0"), ("inf", "1"), ("60", "nan"), ("many", "1")):
        assert read_told(headers(most, left), "requests", now=NOW) is None


@given(st.text(max_size=50), st.text(max_size=50), st.text(max_size=50))
def test_no_header_breaks_the_reading(most: str, left: str, reset: str) -> None:
    told = read_told(headers(most, left, reset), "requests", now=NOW)
    assert told is None or told.per_s > 0


def test_a_limit_comes_back_by_the_minute_or_more_slowly_where_its_reset_says_so() -> None:
    assert Told(60, 30, 30.0).per_s == 1.0
    assert Told(60, 30, 5.0).per_s == 1.0  # a window that ends sooner: not before it has ended
    assert Told(14_400, 14_370, 180.0).per_s == pytest.approx(1 / 6)  # of a day


def told(limit: Limit, left: float, *, call: int, at_s: float = 0.0) -> None:
    limit.heard(call, Told(60.0, left, None), sent_at_s=at_s)


def test_calls_since_what_was_told_are_taken_off_it() -> None:
    limit = Limit()
    assert limit.wait_s(1.0, now_s=0.0) == 0.0
    for call, at_s in ((1, 0.0), (2, 5.0), (3, 5.0)):
        limit.sent(call, 1.0, now_s=at_s)
    told(limit, 2.0, call=2, at_s=5.0)
    assert limit.wait_s(1.0, now_s=5.0) == 0.0
    limit.sent(4, 1.0, now_s=5.0)
    assert limit.wait_s(1.0, now_s=5.0) == 1.0
    limit.ended(3, counted=False)  # it was never sent
    assert limit.wait_s(1.0, now_s=5.0) == 0.0


def test_calls_that_are_sent_together_may_be_counted_in_another_order() -> None:
    limit = Limit()
    for call in (1, 2):
        limit.sent(call, 1.0, now_s=0.0)
    told(limit, 1.0, call=2)
    assert limit.wait_s(1.0, now_s=0.0) == 1.0
    limit.ended(1, counted=True)
    assert limit.wait_s(1.0, now_s=0.0) == 0.0


def test_an_answer_that_comes_late_tells_nothing_of_now() -> None:
    limit = Limit()
    told(limit, 0.0, call=5)
    told(limit, 60.0, call=4)
    assert limit.wait_s(1.0, now_s=0.0) == 1.0


def test_a_call_larger_than_the_limit_waits_until_the_limit_is_full() -> None:
    limit = Limit()
    told(limit, 50.0, call=1)
    assert limit.wait_s(500.0, now_s=0.0) == pytest.approx(10.0)


def test_what_was_told_long_ago_is_believed_no_more() -> None:
    limit = Limit()
    limit.heard(1, Told(10_000, 0, 86_400.0), sent_at_s=0.0)
    assert limit.wait_s(1.0, now_s=0.0) > 1.0
    assert limit.wait_s(100.0, now_s=121.0) == 0.0
