"""The teacher's state file, opened: its tables, and how it is shared with other processes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream.teacher import (
    answer_rows,
    batch_rows,
    outage_rows,
    spending,
    spending_by_teacher,
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS proposals (key TEXT PRIMARY KEY, said TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reservations (
    id INTEGER PRIMARY KEY AUTOINCREMENT, day TEXT NOT NULL, usd REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS days (
    day TEXT PRIMARY KEY, calls INTEGER NOT NULL, usd REAL NOT NULL,
    tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ledger (one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL);
"""


def opened(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Open the file to write, which is made if need be; a lock is waited for so long."""
    database = connected(path, busy_timeout_s)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        parts = (answer_rows, batch_rows, outage_rows, spending, spending_by_teacher)
        database.executescript(_SCHEMA + "".join(part.SCHEMA for part in parts))
    except sqlite3.Error:
        database.close()
        raise
    return database


def connected(path: Path, timeout_s: float) -> sqlite3.Connection:
    """Connect to the file as it is."""
    return sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False)


@contextmanager
def at_one_moment(database: sqlite3.Connection) -> Iterator[None]:
    """Let several looks see the same: what others write meanwhile is not there yet."""
    database.execute("BEGIN")
    try:
        yield
    finally:
        database.execute("ROLLBACK")
