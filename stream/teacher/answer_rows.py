"""The answers in the teacher's state file: this machine's own, and a copy of those that are shared.

All functions take an open database and are part of the caller's transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from schemas.types import Fact
from stream.teacher import spending

SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, model TEXT NOT NULL, spans TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shared_answers (
    key TEXT PRIMARY KEY, model TEXT NOT NULL, spans TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shared_read (
    topic TEXT NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL,
    read_at_s REAL NOT NULL, PRIMARY KEY (topic, partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS endpoints (
    id INTEGER PRIMARY KEY AUTOINCREMENT, endpoint TEXT NOT NULL UNIQUE
);
"""
_TABLES = ("answers", "shared_answers")


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """An answer without its text: labelled spans; a category is its label with the span 0, 0."""

    model: str
    spans: tuple[Fact, ...]


def cached(database: sqlite3.Connection, key: str) -> CachedAnswer | None:
    """Give the answer under a key, our own before a shared one; a row without sense is none."""
    query = (
        "SELECT model, spans FROM answers WHERE key = ?"
        " UNION ALL SELECT model, spans FROM shared_answers WHERE key = ?"
    )
    row = database.execute(query, (key, key)).fetchone()
    if row is None:
        return None
    try:
        spans = tuple((a, b, label) for a, b, label in json.loads(row[1]))
    except (ValueError, TypeError, RecursionError):
        return None
    return CachedAnswer(row[0], spans)


def remember(
    database: sqlite3.Connection, key: str, answer: CachedAnswer, *, endpoint: str, shared: bool
) -> None:
    """Keep an answer in place of an older one, and the name of the endpoint that gave it."""
    if endpoint:
        query = "INSERT OR IGNORE INTO endpoints (endpoint) VALUES (?)"
        database.execute(query, (endpoint,))
    table = "shared_answers" if shared else "answers"
    query = f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?)"  # noqa: S608 - names of ours
    database.execute(query, (key, answer.model, json.dumps(answer.spans)))


def endpoints(database: sqlite3.Connection) -> list[str]:
    """Give the endpoints whose answers are remembered by their name, the first one first."""
    query = "SELECT endpoint FROM endpoints ORDER BY id"
    return [str(row[0]) for row in database.execute(query)]


def known(database: sqlite3.Connection, keys: Collection[str]) -> list[str]:
    """Give the keys that answers are remembered under, whatever examples were chosen for them."""
    query = " UNION ".join(
        f"SELECT key FROM {table} WHERE {spending.WITH_CHOSEN}"  # noqa: S608 - names of ours
        for table in _TABLES
    )
    return [
        found
        for key in keys
        for (found,) in database.execute(query, spending.with_chosen(key) * len(_TABLES))
    ]


def drop(database: sqlite3.Connection, keys: Collection[str]) -> None:
    """Take the answers under these keys out, overwritten and not only unlinked."""
    database.execute("PRAGMA secure_delete = ON")
    for table in _TABLES:
        query = f"DELETE FROM {table} WHERE key = ?"  # noqa: S608 - names of ours
        database.executemany(query, [(key,) for key in keys])


def take_shared(
    database: sqlite3.Connection,
    topic: str,
    rows: Sequence[tuple[str, CachedAnswer | None]],
    *,
    read_up_to: Mapping[int, int],
    now_s: float,
) -> None:
    """Take over what a topic says, in its order; None takes an answer out."""
    for key, answer in rows:
        if answer is None:
            drop(database, [key])
        else:
            remember(database, key, answer, endpoint="", shared=True)
    database.executemany(
        "INSERT OR REPLACE INTO shared_read VALUES (?, ?, ?, ?)",
        [(topic, partition, offset, now_s) for partition, offset in read_up_to.items()],
    )


def read_up_to(
    database: sqlite3.Connection, topic: str, *, now_s: float, at_most_s: float
) -> dict[int, int]:
    """Give the offsets that the copy of a topic goes on from, by partition.

    A copy of another topic, or one that nobody brought up to date for longer than `at_most_s`, is
    dropped whole: what was forgotten meanwhile may not be told any more.
    """
    rows = database.execute("SELECT topic, partition, next_offset, read_at_s FROM shared_read")
    found = rows.fetchall()
    if all(name == topic and now_s - at_s <= at_most_s for name, _, _, at_s in found):
        return {partition: offset for _, partition, offset, _ in found}
    database.execute("PRAGMA secure_delete = ON")
    database.execute("DELETE FROM shared_answers")
    database.execute("DELETE FROM shared_read")
    return {}
