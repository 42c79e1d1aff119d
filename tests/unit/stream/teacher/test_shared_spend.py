"""The arithmetic of the shared budget."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.settings import TeacherSettings
from schemas.types import TeacherSpend
from schemas.wire.keyed import JOINED
from stream.teacher.shared_spend import (
    OPENING,
    Amount,
    SpendView,
    dollars,
    limits_of,
    nano,
    of_ledger,
    spendings_of_others,
    view_of,
)
from stream.teacher.spending import UNKNOWN, Spending
from stream.testing.spend_topic import HOUR, an_opening

DAY = "2026-11-26"

amounts = st.integers(0, 10**12)
rows = st.builds(
    TeacherSpend,
    hour=st.sampled_from([HOUR, "2026-11-26T18", "2026-11-27T00"]),
    task=st.sampled_from(["people", "mood", ""]),
    purpose=st.sampled_from(["stream", "judging", "check", UNKNOWN, OPENING]),
    holder=st.sampled_from(["a", "b", "c"]),
    sequence=st.integers(1, 4),
    nano_usd=amounts,
    tokens=amounts,
)


def a_row(**changes: object) -> TeacherSpend:
    row = TeacherSpend(HOUR, "people", "stream", "a", 1, nano_usd=10, tokens=3)
    return replace(row, **changes)  # type: ignore[arg-type] # as the test says


def _settings(**settings: object) -> TeacherSettings:
    return TeacherSettings.model_validate({"budget_holds_for": "cluster", **settings})


@given(st.lists(rows, max_size=12))
def test_the_sums_are_those_of_the_newest_records(written: list[TeacherSpend]) -> None:
    view = SpendView()
    newest: dict[tuple[str, str, str, str], TeacherSpend] = {}
    for row in written:
        view.take(row)
        key = (row.hour, row.task, row.purpose, row.holder)
        if key not in newest or newest[key].sequence < row.sequence:
            newest[key] = row
    for hour in {row.hour for row in written}:
        found = [row for row in newest.values() if row.hour == hour]
        told = Amount(sum(r.nano_usd for r in found), sum(r.tokens for r in found))
        assert view.spent("hour", hour) == told
    of_task = [row for row in newest.values() if row.task == "people"]
    assert view.spent("task", "people").nano_usd == sum(row.nano_usd for row in of_task)
    apart = [r for r in newest.values() if r.hour[:10] == DAY and r.purpose in {"judging", "check"}]
    assert view.spent("day", DAY, "apart").tokens == sum(row.tokens for row in apart)


@given(st.lists(rows, max_size=8), rows, st.integers(0, 3 * 10**12))
def test_a_record_is_refused_where_the_sum_with_it_passes_a_limit_and_nowhere_else(
    written: list[TeacherSpend], asked: TeacherSpend, most: int
) -> None:
    view = SpendView()
    for row in written:
        view.take(row)
    settings = _settings(budget_usd_per_day=dollars(most), budget_share_apart=0.5)
    refused = view.refusal(asked, limits_of(settings))
    after = SpendView()
    for row in [*written, replace(asked, sequence=99)]:
        after.take(row)
    exact = limits_of(settings)
    day = asked.hour[:10]
    group = {"stream": "stream", "judging": "apart", "check": "apart"}.get(asked.purpose)
    passed = [
        limit
        for limit in exact
        if limit.group in {"all", group}
        and after.spent("day", day, limit.group).nano_usd > limit.most
    ]
    assert (refused is not None) == bool(passed)


@given(st.floats(0, 1000), st.floats(0, 1))
def test_the_parts_of_a_limit_are_the_whole_limit(usd: float, apart: float) -> None:
    settings = _settings(budget_usd_per_day=usd, budget_share_apart=apart)
    whole, stream, kept = limits_of(settings)
    assert [whole.group, stream.group, kept.group] == ["all", "stream", "apart"]
    assert stream.most + kept.most == whole.most <= usd * 1e9


@given(st.floats(0, 1e6))
def test_a_call_is_never_reckoned_too_cheap(usd: float) -> None:
    assert nano(usd) >= usd * 1e9


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("budget_usd_per_hour", 1e-8),
        ("budget_usd_per_day", 1e-8),
        ("budget_usd_per_task", 1e-8),
        ("budget_tokens_per_hour", 3),
        ("budget_tokens_per_day", 3),
        ("budget_tokens_per_task", 3),
    ],
)
def test_each_limit_bounds_its_own_window_and_names_its_setting(setting: str, value: float) -> None:
    """Ten nano-dollars and three tokens are spent: as much as may be."""
    found = limits_of(_settings(**{setting: value, "budget_share_apart": 0.0}))
    view = SpendView()
    view.take(a_row())
    again = a_row(holder="b", nano_usd=1, tokens=1)
    assert f"teacher.{setting}" in (view.refusal(again, found) or "")
    elsewhere = {
        "hour": replace(again, hour="2026-11-26T18"),
        "day": replace(again, hour="2026-11-27T17"),
        "task": replace(again, task="mood"),
    }[setting.rsplit("_", 1)[1]]
    assert view.refusal(elsewhere, found) is None


def test_what_is_no_deferred_record_has_a_part_of_its_own_and_no_more() -> None:
    found = limits_of(_settings(budget_usd_per_day=1e-7, budget_share_apart=0.2))
    view = SpendView()
    assert view.refusal(a_row(nano_usd=80), found) is None
    assert "for the stream" in (view.refusal(a_row(nano_usd=81), found) or "")
    assert view.refusal(a_row(purpose="judging", nano_usd=20), found) is None
    assert "kept apart" in (view.refusal(a_row(purpose="judging", nano_usd=21), found) or "")


def test_a_record_that_comes_late_says_nothing() -> None:
    view = SpendView()
    view.take(a_row(sequence=2, nano_usd=50))
    view.take(a_row(sequence=1, nano_usd=10))
    assert view.spent("day", DAY).nano_usd == 50


def test_the_topic_is_open_once_a_person_said_what_was_spent() -> None:
    joined = a_row(purpose=JOINED)
    assert not view_of([joined]).opened
    view = view_of([joined, an_opening(spent_nano_usd=7)])
    assert view.opened
    assert view.spent("day", DAY).nano_usd == 7 + 10


def _spent(**changes: object) -> Spending:
    one = Spending(
        DAY, "people", "stream", questions=2, calls=3, cached=1, usd=5e-8, saved_usd=1e-8
    )
    return replace(one, tokens_in=20, tokens_out=4, **changes)  # type: ignore[arg-type] # as above


def test_a_ledger_brings_in_what_the_topic_does_not_know_of_it_once() -> None:
    view = SpendView()
    view.take(a_row(ledger="l", nano_usd=20, tokens=10, calls=1))
    view.take(a_row(ledger="another", holder="b", nano_usd=99))
    (row,) = of_ledger(view, "l", [_spent()], now_ms=5, joining_in=HOUR)
    assert (row.hour, row.nano_usd, row.tokens, row.calls, row.questions) == (HOUR, 30, 14, 2, 2)
    view.take(row)
    assert view.spent("day", DAY).nano_usd == 20 + 99 + 30
    assert not [*of_ledger(view, "l", [_spent()], now_ms=6, joining_in=HOUR)]


def test_what_a_ledger_spent_on_an_earlier_day_counts_on_that_day() -> None:
    earlier = _spent(day="2026-11-20")
    (row,) = of_ledger(SpendView(), "l", [earlier], now_ms=5, joining_in=HOUR)
    assert row.hour == "2026-11-20T00"


def test_later_a_ledger_tells_its_counts_and_no_money() -> None:
    view = SpendView()
    (row,) = of_ledger(view, "l", [_spent()], now_ms=5)
    assert (row.nano_usd, row.calls, row.questions, row.cached, row.saved_nano_usd) == (
        0,
        0,
        2,
        1,
        10,
    )


def test_the_bill_takes_the_rows_of_other_ledgers_alone() -> None:
    rows = [
        a_row(ledger="mine"),
        a_row(ledger="theirs", holder="b", nano_usd=30, calls=2),
        a_row(ledger="theirs", purpose=JOINED, nano_usd=0, tokens=0),
        an_opening(spent_nano_usd=5),
    ]
    found = spendings_of_others(rows, ledger="mine")
    assert [(one.purpose, one.calls, round(one.usd * 1e9)) for one in found] == [
        ("stream", 2, 30),
        (UNKNOWN, 0, 5),
    ]
