from __future__ import annotations

from typing import Any

import pytest

from stream.teacher.bill import added_up, bill_facts, each_time, total
from stream.teacher.spending import Spending


def row(day: str = "2026-01-01", task: str = "t", purpose: str = "stream", **amounts: Any) -> Any:
    return Spending(day, task, purpose, **amounts)


ROWS = [
    row(questions=4, calls=6, usd=2.0, saved_usd=0.5, cached=1, tokens_reasoning=9),
    row(purpose="bootstrap", questions=1, calls=1, usd=3.0, tokens_in=7),
    row("2026-01-02", "other", questions=5, calls=5, usd=10.0),
    row("2026-01-02", "", "unknown", calls=2, usd=1.0),
]


@pytest.mark.parametrize(
    ("by", "usd"),
    [
        ("day", {"2026-01-01": 5.0, "2026-01-02": 11.0}),
        ("task", {"other": 10.0, "t": 5.0, "unknown": 1.0}),
        ("purpose", {"bootstrap": 3.0, "stream": 12.0, "unknown": 1.0}),
    ],
)
def test_rows_of_one_name_are_added_up(by: Any, usd: dict[str, float]) -> None:
    assert {one[by]: one["usd"] for one in added_up(ROWS, by)} == usd


def test_all_amounts_are_added_up() -> None:
    assert total(ROWS) == {
        "questions": 10,
        "calls": 14,
        "cached": 1,
        "tokens_in": 7,
        "tokens_out": 0,
        "tokens_reasoning": 9,
        "usd": 16.0,
        "saved_usd": 0.5,
    }


def test_asking_each_time_costs_what_a_question_of_the_stream_took_with_its_retries() -> None:
    found = each_time(ROWS, task="t", records=100)
    assert found is not None
    assert found.usd_per_question == 0.5
    assert found.usd == 50.0
    assert found.spent_usd == 6.0  # the cold start, and what an older version spent, too
    assert found.saved_usd == 44.0


def test_where_nobody_noted_questions_a_call_stands_for_one() -> None:
    found = each_time(ROWS[3:], task="t", records=10)
    assert found is not None
    assert found.usd_per_question == 0.5


def test_before_the_stream_asked_other_questions_tell_the_price() -> None:
    found = each_time(ROWS[1:], task="t", records=10)
    assert found is not None
    assert found.usd_per_question == 3.0


def test_without_any_call_there_is_no_price() -> None:
    assert each_time([], task="t", records=10) is None
    assert each_time(ROWS[2:3], task="t", records=10) is None


def test_machines_get_these_keys_and_no_others() -> None:
    found = bill_facts(ROWS, "day", None, unknown="no broker")
    assert set(found) == {"by", "rows", "total", "each_time", "each_time_unknown"}
    assert (found["each_time"], found["each_time_unknown"]) == (None, "no broker")
    told = bill_facts(ROWS, "day", each_time(ROWS, task="t", records=1), unknown="")
    assert told["each_time_unknown"] is None
    assert set(told["each_time"]) == {
        "task",
        "records",
        "usd_per_question",
        "usd",
        "spent_usd",
        "saved_usd",
    }
