"""Batches that wait at a provider, in the teacher's state file, and what their lines took.

A *batch* is a file of requests that the provider answers within hours, for a part of the price (the
Batch API). A *line* of it is one request; its name is made of the key of its question. A line is
reserved and noted in one transaction, so whatever a kill leaves behind can be told: what was
reserved, for which line of which batch. Texts are not stored.

All functions take an open database and are part of the caller's transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import astuple, dataclass, fields

from stream.teacher.spending import WITH_CHOSEN, Cause, Taken, with_chosen

SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    name TEXT PRIMARY KEY, task TEXT NOT NULL, purpose TEXT NOT NULL, endpoint TEXT NOT NULL,
    input_file TEXT NOT NULL, tried_s REAL NOT NULL, id TEXT NOT NULL, sent_s REAL NOT NULL,
    until_s REAL NOT NULL, lines INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batch_lines (
    call INTEGER PRIMARY KEY, batch TEXT NOT NULL, line TEXT NOT NULL, day TEXT NOT NULL,
    task TEXT NOT NULL, question TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS batched_questions (
    key TEXT PRIMARY KEY, calls INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batched (
    day TEXT NOT NULL, task TEXT NOT NULL, calls INTEGER NOT NULL, tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL, usd REAL NOT NULL, PRIMARY KEY (day, task)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of ours. What is not there yet is "" or 0; times are Unix time in seconds.

    `input_file` is the provider's name of what was uploaded, and `id` that of the batch. `tried_s`
    is when it was first asked to make one, `sent_s` when it had, `until_s` when it is given up.
    """

    name: str
    task: str
    purpose: str
    endpoint: str
    input_file: str = ""
    tried_s: float = 0.0
    id: str = ""
    sent_s: float = 0.0
    until_s: float = 0.0
    lines: int = 0


@dataclass(frozen=True, slots=True)
class BatchSpending:
    """What lines of batches took on a day, or may have; as a row of the ledger tells it."""

    day: str
    task: str
    calls: int
    tokens_in: int
    tokens_out: int
    usd: float


def note(database: sqlite3.Connection, batch: Batch) -> None:
    """Note a batch, in place of what was noted of it before."""
    marks = ", ".join("?" * len(fields(Batch)))
    query = f"INSERT OR REPLACE INTO batches VALUES ({marks})"  # noqa: S608 - marks alone
    database.execute(query, astuple(batch))


def batches(database: sqlite3.Connection) -> list[Batch]:
    """Give the batches that were begun and not ended, the oldest first."""
    names = ", ".join(field.name for field in fields(Batch))
    query = f"SELECT {names} FROM batches ORDER BY tried_s, name"  # noqa: S608 - names of ours
    return [Batch(*row) for row in database.execute(query)]


def close(database: sqlite3.Connection, batch: str) -> None:
    """End a batch: what is still reserved for its lines stands for good."""
    database.execute("DELETE FROM batch_lines WHERE batch = ?", (batch,))
    database.execute("DELETE FROM batches WHERE name = ?", (batch,))


def open_lines(database: sqlite3.Connection, batch: str) -> dict[str, int]:
    """Give the calls that are reserved for the lines of a batch, by the lines' names."""
    query = "SELECT line, call FROM batch_lines WHERE batch = ?"
    return dict(database.execute(query, (batch,)).fetchall())


def about(database: sqlite3.Connection, questions: Collection[str]) -> list[tuple[int, str]]:
    """Give the open lines that ask these, whatever examples were chosen: call and batch of each."""
    where = WITH_CHOSEN.replace("key", "question")
    query = f"SELECT call, batch FROM batch_lines WHERE {where}"  # noqa: S608 - names of ours
    return [row for one in questions for row in database.execute(query, with_chosen(one))]


def drop(database: sqlite3.Connection, calls: Collection[int]) -> None:
    """Let lines be open no more; what is reserved for them may be billed, and stands."""
    database.execute("PRAGMA secure_delete = ON")
    database.executemany("DELETE FROM batch_lines WHERE call = ?", [(one,) for one in calls])


def reserved(
    database: sqlite3.Connection, call: int, *, day: str, cause: Cause, taken: Taken
) -> None:
    """Note a reserved call, if it is a line of a batch."""
    if cause.batch:
        values = (call, cause.batch, cause.line, day, cause.task, cause.question)
        database.execute("INSERT INTO batch_lines VALUES (?, ?, ?, ?, ?, ?)", values)
        _add(database, day, cause.task, cause.question, taken)


def ended(database: sqlite3.Connection, call: int, *, taken: Taken) -> None:
    """Book what the call took beside what was reserved; its line is open no more."""
    query = "DELETE FROM batch_lines WHERE call = ? RETURNING day, task, question"
    if (row := database.execute(query, (call,)).fetchone()) is not None:
        day, task, question = row
        _add(database, day, task, question, taken)


def calls_about(database: sqlite3.Connection, question: str) -> int:
    """Count the calls about a question that were lines; whatever examples were chosen for it."""
    query = f"SELECT sum(calls) FROM batched_questions WHERE {WITH_CHOSEN}"  # noqa: S608 - ours
    (calls,) = database.execute(query, with_chosen(question)).fetchone()
    return int(calls or 0)


def spendings(database: sqlite3.Connection) -> list[BatchSpending]:
    """Give what lines took, by day and task."""
    query = "SELECT day, task, calls, tokens_in, tokens_out, usd FROM batched ORDER BY day, task"
    return [BatchSpending(*row) for row in database.execute(query)]


def _add(database: sqlite3.Connection, day: str, task: str, question: str, taken: Taken) -> None:
    database.execute(
        "INSERT INTO batched_questions VALUES (?, ?)"
        " ON CONFLICT DO UPDATE SET calls = calls + excluded.calls",
        (question, taken.calls),
    )
    database.execute(
        "INSERT INTO batched VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " calls = calls + excluded.calls, tokens_in = tokens_in + excluded.tokens_in,"
        " tokens_out = tokens_out + excluded.tokens_out, usd = usd + excluded.usd",
        (day, task, taken.calls, taken.tokens_in, taken.tokens_out, taken.usd),
    )
