"""The teacher's state file of 0.1.0 is read today: what was spent, and the answers it knows."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.spending import Cause
from stream.teacher.store_looks import spendings_of, totals_of


@pytest.fixture
def state(kept: Path, tmp_path: Path) -> Path:
    """A copy: SQLite writes beside what it reads."""
    return Path(shutil.copy(kept / "teacher.sqlite", tmp_path))


def test_what_was_spent_stands_and_answers_are_remembered(
    state: Path, read: Callable[[str], Any], plain: Callable[[Any, Any], Any]
) -> None:
    then, store = read("teacher.json"), TeacherStore(state)
    assert plain(totals_of(state), then["totals"]) == then["totals"]
    for day, usd in then["spent_usd"].items():
        assert store.spent_usd(day) == usd
    for key, answer in then["answers"].items():
        assert plain(store.cached(key), answer) == answer
    store.close()


def test_a_call_that_0_1_0_never_settled_can_be_settled_today(state: Path) -> None:
    store = TeacherStore(state)
    cause = Cause("people", "stream", "question")
    next_call = store.reserve(0.01, cause=cause, day="2024-01-01", budget_usd=1.0)
    store.settle(next_call - 1, tokens_in=10, tokens_out=1, usd=0.05)
    assert store.spent_usd("2024-01-01") == pytest.approx(0.06)
    rows = [row for row in store.spendings() if row.day == "2024-01-01"]
    usd = {row.purpose: row.usd for row in rows}
    assert usd == {"unknown": pytest.approx(0.05), "stream": pytest.approx(0.01)}
    store.close()


def test_what_0_1_0_spent_has_an_unknown_purpose(state: Path, read: Callable[[str], Any]) -> None:
    then, rows = read("teacher.json"), spendings_of(state)
    assert {row.purpose for row in rows} == {"unknown"}
    assert sum(row.usd for row in rows) == pytest.approx(then["totals"]["usd"])
    assert sum(row.calls for row in rows) == then["totals"]["calls"]


def test_0_1_0_goes_on_writing_a_file_that_this_version_has_written(state: Path) -> None:
    """A rolling upgrade: the statements are those of 0.1.0, word for word."""
    with closing(TeacherStore(state)) as store, closing(sqlite3.connect(state)) as old, old:
        cause = Cause("people", "stream", "question")
        store.reserve(0.01, cause=cause, day="2030-01-01", budget_usd=1.0)
        old.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", ("key", "gpt", "[]"))
        insert = "INSERT INTO reservations (day, usd) VALUES (?, ?)"
        call = old.execute(insert, ("2030-01-01", 0.5)).lastrowid
        redeem = "DELETE FROM reservations WHERE id = ? RETURNING day, usd"
        assert old.execute(redeem, (call,)).fetchone() == ("2030-01-01", 0.5)
        old.execute(
            "INSERT INTO days (day, calls, usd, tokens_in, tokens_out) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (day) DO UPDATE SET calls = calls + excluded.calls,"
            " usd = usd + excluded.usd, tokens_in = tokens_in + excluded.tokens_in,"
            " tokens_out = tokens_out + excluded.tokens_out",
            ("2030-01-01", 1, 0.5, 7, 3),
        )
        old.commit()
        assert store.spent_usd("2030-01-01") == pytest.approx(0.51)
        found = [row for row in store.spendings() if row.day == "2030-01-01"]
        assert [(row.purpose, row.calls, row.tokens_in) for row in found] == [
            ("unknown", 1, 7),
            ("stream", 1, 0),
        ]
