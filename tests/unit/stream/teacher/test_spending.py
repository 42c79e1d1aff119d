from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.question_keys import question_key
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.spending import Asked, Cause, Spending
from stream.teacher.store_looks import asked_of, spendings_of
from stream.testing.endpoints import TASK, TEXT, MakeTeacher, faulty

DAY = "2026-01-31"
ADA = Cause("people", "stream", "ada")
COLD = Cause("people", "bootstrap", "bo")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TeacherStore]:
    with closing(TeacherStore(tmp_path / "teacher.sqlite")) as opened:
        yield opened


def call(store: TeacherStore, cause: Cause, usd: float = 0.25, *, day: str = DAY) -> None:
    number = store.reserve(1.0, cause=cause, day=day, budget_usd=99.0)
    store.settle(number, tokens_in=10, tokens_out=5, tokens_reasoning=2, usd=usd)


def test_what_is_spent_is_told_by_day_task_and_purpose(store: TeacherStore) -> None:
    call(store, ADA)
    call(store, replace(ADA, question="bea"))
    call(store, COLD, usd=0.5)
    call(store, ADA, day="2026-02-01")
    rows = store.spendings()
    assert [(row.day, row.task, row.purpose) for row in rows] == [
        (DAY, "people", "bootstrap"),
        (DAY, "people", "stream"),
        ("2026-02-01", "people", "stream"),
    ]
    assert rows[1] == Spending(
        DAY, "people", "stream", questions=2, calls=2, tokens_in=20, tokens_out=10,
        tokens_reasoning=4, usd=0.5,
    )  # fmt: skip
    assert sum(row.usd for row in rows) == pytest.approx(store.totals().usd)


def test_tries_of_one_question_are_calls_of_one_question(store: TeacherStore) -> None:
    call(store, ADA)
    call(store, ADA)
    (row,) = store.spendings()
    assert (row.questions, row.calls, row.usd) == (1, 2, 0.5)
    assert store.asked("ada") == Asked(DAY, "people", "stream", 2, 20, 10, 0.5)
    assert store.asked("bo") is None


def test_a_reservation_stands_in_what_it_is_for(store: TeacherStore) -> None:
    store.reserve(1.0, cause=ADA, day=DAY, budget_usd=1.0)
    (row,) = store.spendings()
    assert (row.purpose, row.calls, row.usd) == ("stream", 1, 1.0)


def test_a_question_whose_calls_were_all_turned_away_was_not_asked(store: TeacherStore) -> None:
    store.release(store.reserve(1.0, cause=ADA, day=DAY, budget_usd=1.0))
    (row,) = store.spendings()
    assert (row.questions, row.calls, row.usd) == (0, 0, 0.0)
    assert store.asked("ada") is None


def test_two_calls_for_one_question_at_once_leave_nothing_when_both_are_turned_away(
    store: TeacherStore,
) -> None:
    first = store.reserve(0.1, cause=ADA, day=DAY, budget_usd=1.0)
    again = replace(ADA, purpose="judging")
    second = store.reserve(0.1, cause=again, day="2026-02-01", budget_usd=1.0)
    store.release(first)
    assert store.asked("ada") is not None
    store.release(second)
    assert store.asked("ada") is None
    assert [row.questions for row in store.spendings()] == [0, 0]


def test_an_answer_from_the_cache_saves_what_a_call_for_it_took(store: TeacherStore) -> None:
    call(store, ADA, usd=0.25)
    call(store, ADA, usd=0.75)
    call(store, COLD, usd=9.0)
    store.count_cached(replace(ADA, purpose="judging"), day=DAY)
    (row,) = (row for row in store.spendings() if row.purpose == "judging")
    assert (row.cached, row.calls, row.usd, row.saved_usd) == (1, 0, 0.0, 0.5)


def test_an_answer_that_an_older_version_paid_for_saves_what_calls_took_on_the_whole(
    store: TeacherStore,
) -> None:
    call(store, COLD, usd=0.5)
    call(store, COLD, usd=1.5)
    store.count_cached(ADA, day=DAY)
    assert {row.purpose: row.saved_usd for row in store.spendings()} == {
        "bootstrap": 0.0,
        "stream": 1.0,
    }


def test_nothing_is_saved_where_nothing_was_ever_paid(store: TeacherStore) -> None:
    store.count_cached(ADA, day=DAY)
    assert store.spendings()[0].saved_usd == 0.0


def test_what_an_older_version_booked_has_an_unknown_purpose(
    store: TeacherStore, tmp_path: Path
) -> None:
    call(store, ADA, usd=0.25)
    with closing(sqlite3.connect(tmp_path / "teacher.sqlite")) as old, old:
        old.execute("UPDATE days SET calls = calls + 2, usd = usd + 0.5, tokens_in = tokens_in + 7")
    unknown, known = store.spendings()
    assert unknown == Spending(DAY, "", "unknown", calls=2, tokens_in=7, usd=0.5)
    assert known.usd == 0.25


def test_a_look_at_what_was_spent_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "teacher.sqlite"
    assert spendings_of(path) == []
    assert asked_of(path, "ada") is None
    assert not path.exists()


async def test_a_teacher_books_its_tries_and_what_the_cache_saved(
    make_teacher: MakeTeacher, ledger: TeacherStore
) -> None:
    async with faulty() as url:
        teacher = make_teacher(url)
        answer = await teacher.label(TEXT)
        await teacher.label(TEXT)
    (row,) = ledger.spendings()
    assert (row.task, row.purpose, row.questions, row.calls) == (TASK.name, "stream", 1, 1)
    assert (row.cached, row.tokens_in) == (1, answer.tokens_in)
    assert row.saved_usd == pytest.approx(row.usd)
    version = answer.prompt_version
    key = question_key(TEXT, prompt_version=version, model="gpt-4.1-mini", endpoint=url)
    asked = ledger.asked(key)
    assert asked is not None
    assert asked.usd == row.usd
