"""What was spent on what: the ledger's rows by day, task and purpose, and by question.

They stand beside the table `days`, which holds what was spent in all and bounds it. An older
version of this program writes `days` alone, before an upgrade or while one is rolled out: what is
there and in no row of ours has the purpose `unknown`. So nothing is to be converted, and old and
new may write one file at once.

A *question* is one text, prompt and model; its calls are what it took, tries without an answer
included. A call about several texts counts once, and each of their questions has a part of what it
took. All functions take an open database and are part of the caller's transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Literal

from schemas.question_keys import CHOSEN_AFTER

Purpose = Literal[
    "stream",
    "bootstrap",
    "judging",
    "second opinions",
    "prompt",
    "check",
    "explain",
    "canary",
    "comparing",
]
"""What a teacher is asked for: records that were deferred, cold start, rounds' questions, doubted
labels, `silverstream prompt`, `silverstream doctor`, a rationale, a canary, an audit that another
teacher has answered."""
UNKNOWN = "unknown"
"""The purpose of what an older version booked."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS spending (
    day TEXT NOT NULL, task TEXT NOT NULL, purpose TEXT NOT NULL,
    questions INTEGER NOT NULL DEFAULT 0, calls INTEGER NOT NULL DEFAULT 0,
    cached INTEGER NOT NULL DEFAULT 0, tokens_in INTEGER NOT NULL DEFAULT 0,
    tokens_out INTEGER NOT NULL DEFAULT 0, tokens_reasoning INTEGER NOT NULL DEFAULT 0,
    usd REAL NOT NULL DEFAULT 0, saved_usd REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (day, task, purpose)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS questions (
    key TEXT PRIMARY KEY, day TEXT NOT NULL, task TEXT NOT NULL, purpose TEXT NOT NULL,
    calls INTEGER NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL,
    usd REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS causes (
    call INTEGER PRIMARY KEY, task TEXT NOT NULL, purpose TEXT NOT NULL, question TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS cause_parts (
    call INTEGER NOT NULL, part INTEGER NOT NULL, question TEXT NOT NULL, usd REAL NOT NULL,
    PRIMARY KEY (call, part)
) WITHOUT ROWID;
"""
_LEAST_USD = 1e-9
_ASKED = "day, task, purpose, calls, tokens_in, tokens_out, usd"

WITH_CHOSEN = "(key = ? OR (key > ? AND key < ?))"
"""The condition on a key, whatever was chosen; its values gives `with_chosen`."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What a call is made for; `question` is the key that its answer is remembered under.

    A call about several texts has the keys of all of them in `questions`, and its `question` is any
    one of these. `teacher` is which of several is asked; see
    `stream.teacher.spending_by_teacher`. One that is a `line` of a `batch` has the names of both,
    see `stream.teacher.batch_rows`.
    """

    task: str
    purpose: Purpose
    question: str
    questions: tuple[str, ...] = ()
    teacher: str = ""
    batch: str = ""
    line: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a call took, or what is to be added to it; `tokens_reasoning` are of `tokens_out`."""

    usd: float = 0.0
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_reasoning: int = 0


@dataclass(frozen=True, slots=True)
class Spending:
    """A row of the ledger. US dollars spent or reserved; `saved_usd` is what the cache saved.

    `questions` were asked for the first time, in `calls` that were paid or may have been; `cached`
    were answered from the cache. Of the purpose `unknown` calls, tokens and dollars alone are told.
    """

    day: str
    task: str
    purpose: str
    questions: int = 0
    calls: int = 0
    cached: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_reasoning: int = 0
    usd: float = 0.0
    saved_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What one question took, over all its calls, since it was first asked on `day` (ISO, UTC).

    `in_batches` counts those of its calls that were lines of batches.
    """

    day: str
    task: str
    purpose: str
    calls: int
    tokens_in: int
    tokens_out: int
    usd: float
    in_batches: int = 0


def with_chosen(key: str) -> tuple[str, str, str]:
    """Give the values of `WITH_CHOSEN` for the key without examples."""
    return key, key + CHOSEN_AFTER, key + chr(ord(CHOSEN_AFTER) + 1)


def open_cause(
    database: sqlite3.Connection, call: int, cause: Cause, parts: Sequence[Taken] = ()
) -> None:
    """Note what a reserved call is made for; `parts` are reserved for each of its questions."""
    values = (call, cause.task, cause.purpose, cause.question)
    database.execute("INSERT INTO causes VALUES (?, ?, ?, ?)", values)
    numbered = enumerate(zip(cause.questions, parts, strict=True))
    rows = [(call, number, question, part.usd) for number, (question, part) in numbered]
    database.executemany("INSERT INTO cause_parts VALUES (?, ?, ?, ?)", rows)


def close_cause(
    database: sqlite3.Connection, call: int
) -> tuple[Cause, tuple[float, ...]] | tuple[None, tuple[()]]:
    """Forget what a call was made for, and give it; None for a call of an older version.

    With it comes what was reserved for each of its `questions`, in US dollars.
    """
    query = "DELETE FROM causes WHERE call = ? RETURNING task, purpose, question"
    row = database.execute(query, (call,)).fetchone()
    if row is None:
        return None, ()
    query = "SELECT question, usd FROM cause_parts WHERE call = ? ORDER BY part"
    parts = database.execute(query, (call,)).fetchall()
    database.execute("DELETE FROM cause_parts WHERE call = ?", (call,))
    task, purpose, question = row
    questions = tuple(name for name, _ in parts)
    return Cause(task, purpose, question, questions), tuple(usd for _, usd in parts)


def book(
    database: sqlite3.Connection,
    day: str,
    cause: Cause,
    taken: Taken,
    parts: Sequence[Taken] = (),
) -> None:
    """Add what a call took to its row, and to its question, or each part to its own.

    A question that took no call after all, for all of them were turned away, was not asked.
    """
    where = (day, cause.task, cause.purpose)
    _add(
        database,
        where,
        calls=taken.calls,
        tokens_in=taken.tokens_in,
        tokens_out=taken.tokens_out,
        tokens_reasoning=taken.tokens_reasoning,
        usd=taken.usd,
    )
    if not cause.questions:
        _book_question(database, where, cause.question, taken)
    for question, part in zip(cause.questions, parts, strict=True):
        _book_question(database, where, question, part)


def _book_question(
    database: sqlite3.Connection, where: tuple[str, str, str], question: str, taken: Taken
) -> None:
    if asked(database, question) is None:
        query = "INSERT INTO questions VALUES (?, ?, ?, ?, 0, 0, 0, 0)"
        database.execute(query, (question, *where))
        _add(database, where, questions=1)
    database.execute(
        "UPDATE questions SET calls = calls + ?, tokens_in = tokens_in + ?,"
        " tokens_out = tokens_out + ?, usd = usd + ? WHERE key = ?",
        (taken.calls, taken.tokens_in, taken.tokens_out, taken.usd, question),
    )
    gone = "DELETE FROM questions WHERE key = ? AND calls <= 0 RETURNING day, task, purpose"
    if (row := database.execute(gone, (question,)).fetchone()) is not None:
        _add(database, row, questions=-1)


def book_cached(database: sqlite3.Connection, day: str, cause: Cause) -> None:
    """Count an answer from the cache: what a call for it took once is saved."""
    saved = _price(database, cause.question)
    _add(database, (day, cause.task, cause.purpose), cached=1, saved_usd=saved)


def asked(database: sqlite3.Connection, question: str) -> Asked | None:
    """Give what a question took; None where it was never asked, or by an older version."""
    query = f"SELECT {_ASKED} FROM questions WHERE key = ?"  # noqa: S608 - names of ours
    row = database.execute(query, (question,)).fetchone()
    return None if row is None else Asked(*row)


def asked_last(database: sqlite3.Connection, question: str) -> Asked | None:
    """Give what a question took; where examples were chosen for it, with the last of these."""
    query = (
        f"SELECT {_ASKED} FROM questions WHERE {WITH_CHOSEN}"  # noqa: S608 - names of ours
        " ORDER BY day DESC LIMIT 1"
    )
    row = database.execute(query, with_chosen(question)).fetchone()
    return None if row is None else Asked(*row)


def spendings(database: sqlite3.Connection) -> list[Spending]:
    """Give all rows, by day; what stands in `days` alone has the purpose `unknown`."""
    query = f"SELECT {_names(Spending)} FROM spending"  # noqa: S608 - names of ours
    known = [Spending(*row) for row in database.execute(query)]
    days = database.execute("SELECT day, calls, tokens_in, tokens_out, usd FROM days").fetchall()
    unknown = (_unknown(day, (row for row in known if row.day == day[0])) for day in days)
    rows = [*known, *filter(None, unknown)]
    return sorted(rows, key=lambda row: (row.day, row.task, row.purpose))


def _unknown(day: tuple[str, int, int, int, float], known: Iterable[Spending]) -> Spending | None:
    name, calls, tokens_in, tokens_out, usd = day
    for row in known:
        calls, usd = calls - row.calls, usd - row.usd
        tokens_in, tokens_out = tokens_in - row.tokens_in, tokens_out - row.tokens_out
    if calls <= 0 and usd < _LEAST_USD:
        return None
    return Spending(
        name, "", UNKNOWN, calls=calls, tokens_in=tokens_in, tokens_out=tokens_out, usd=usd
    )


def _names(kind: type[Spending]) -> str:
    return ", ".join(field.name for field in fields(kind))


def _add(database: sqlite3.Connection, where: tuple[str, str, str], **amounts: float) -> None:
    columns = ", ".join(amounts)
    values = ", ".join("?" * len(amounts))
    added = ", ".join(f"{name} = {name} + excluded.{name}" for name in amounts)
    database.execute(
        f"INSERT INTO spending (day, task, purpose, {columns}) VALUES (?, ?, ?, {values})"  # noqa: S608 - names of ours
        f" ON CONFLICT DO UPDATE SET {added}",
        (*where, *amounts.values()),
    )


def _price(database: sqlite3.Connection, question: str) -> float:
    """Price a call for the question: as its own were, or as all were where nobody noted these."""
    known = asked(database, question)
    if known is not None:
        return known.usd / known.calls
    calls, usd = database.execute("SELECT sum(calls), sum(usd) FROM days").fetchone()
    return usd / calls if calls else 0.0
