"""Which endpoints do not answer, in the teacher's state file: `silverstream status` tells of them.

All functions take an open database and are part of the caller's transaction.
"""

from __future__ import annotations

import sqlite3

from stream.teacher.retries import Outage

SCHEMA = """
CREATE TABLE IF NOT EXISTS outages (
    endpoint TEXT PRIMARY KEY, since_s REAL NOT NULL, tried_s REAL NOT NULL, why TEXT NOT NULL,
    refuses INTEGER NOT NULL
) WITHOUT ROWID;
"""


def note(database: sqlite3.Connection, endpoint: str, outage: Outage | None) -> None:
    """Note that an endpoint does not answer, or that it does again."""
    database.execute("DELETE FROM outages WHERE endpoint = ?", (endpoint,))
    if outage is not None:
        row = (endpoint, outage.since_s, outage.tried_s, outage.why, outage.refuses)
        database.execute("INSERT INTO outages VALUES (?, ?, ?, ?, ?)", row)


def outages(database: sqlite3.Connection) -> dict[str, Outage]:
    """Give the endpoints that did not answer when they were last tried."""
    rows = database.execute("SELECT endpoint, since_s, tried_s, why, refuses FROM outages")
    return {name: Outage(since, tried, why, bool(no)) for name, since, tried, why, no in rows}
