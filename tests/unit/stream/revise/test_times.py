from __future__ import annotations

import pytest

from schemas.errors import ConfigError
from stream.revise.times import TimeRange, time_range

MOMENT_MS = 1_767_225_600_000
"""2026-01-01, midnight in UTC."""


@pytest.mark.parametrize(
    "told",
    [
        "2026-01-01",
        "20260101",
        "2026-01-01T00:00:00Z",
        "2026-01-01 00:00",
        "2026-01-01T01:00:00+01:00",
        str(MOMENT_MS),
    ],
)
def test_a_time_is_iso_8601_or_milliseconds(told: str) -> None:
    assert time_range(told, "2027-01-01").from_ms == MOMENT_MS


def test_milliseconds_of_iso_8601_count() -> None:
    assert time_range("0", "2026-01-01T00:00:00.123Z") == TimeRange(0, MOMENT_MS + 123)


def test_the_end_is_left_out() -> None:
    times = TimeRange(5, 7)
    assert [at in times for at in (4, 5, 6, 7)] == [False, True, True, False]


@pytest.mark.parametrize("told", ["yesterday", "", "2026-13-01", "-5", "1.5", "²"])
def test_what_is_no_time_is_refused_with_the_option(told: str) -> None:
    with pytest.raises(ConfigError, match=r"--to .*: not a time"):
        time_range("0", told)


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ConfigError, match="--from 8 is not before --to 8"):
        time_range("8", "8")
