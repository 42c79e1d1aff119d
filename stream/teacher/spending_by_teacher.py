"""What each of several teachers was paid: rows of the ledger by day, task and teacher.

They stand beside those of `stream.teacher.spending`, for the calls that name a teacher. All
functions take an open database and are part of the caller's transaction.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from stream.teacher.spending import Cause, Taken

SCHEMA = """
CREATE TABLE IF NOT EXISTS teacher_calls (
    call INTEGER PRIMARY KEY, task TEXT NOT NULL, teacher TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS teachers (
    day TEXT NOT NULL, task TEXT NOT NULL, teacher TEXT NOT NULL,
    calls INTEGER NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL,
    usd REAL NOT NULL, PRIMARY KEY (day, task, teacher)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class TeacherSpending:
    """What a teacher was paid on a day, or may have been; as a row of the ledger tells it."""

    day: str
    task: str
    teacher: str
    calls: int
    tokens_in: int
    tokens_out: int
    usd: float


def reserved(
    database: sqlite3.Connection, call: int, *, day: str, cause: Cause, taken: Taken
) -> None:
    """Note a reserved call, if it is one of several teachers'."""
    if cause.teacher:
        values = (call, cause.task, cause.teacher)
        database.execute("INSERT INTO teacher_calls VALUES (?, ?, ?)", values)
        _add(database, day, cause.task, cause.teacher, taken)


def ended(database: sqlite3.Connection, call: int, *, day: str, taken: Taken) -> None:
    """Book what a call took beside what was reserved."""
    query = "DELETE FROM teacher_calls WHERE call = ? RETURNING task, teacher"
    if (row := database.execute(query, (call,)).fetchone()) is not None:
        task, teacher = row
        _add(database, day, task, teacher, taken)


def spendings(database: sqlite3.Connection) -> list[TeacherSpending]:
    """Give all rows, by day, task and teacher."""
    query = (
        "SELECT day, task, teacher, calls, tokens_in, tokens_out, usd FROM teachers"
        " ORDER BY day, task, teacher"
    )
    return [TeacherSpending(*row) for row in database.execute(query)]


def _add(database: sqlite3.Connection, day: str, task: str, teacher: str, taken: Taken) -> None:
    database.execute(
        "INSERT INTO teachers VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " calls = calls + excluded.calls, tokens_in = tokens_in + excluded.tokens_in,"
        " tokens_out = tokens_out + excluded.tokens_out, usd = usd + excluded.usd",
        (day, task, teacher, taken.calls, taken.tokens_in, taken.tokens_out, taken.usd),
    )
