"""Reservations in the ledger's database, and the days that they are booked on.

All functions take an open database and are part of the caller's transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from stream.teacher import spending
from stream.teacher.spending import Cause, Taken


def spent(database: sqlite3.Connection, day: str) -> float:
    """Give what is spent or reserved on the day."""
    row = database.execute("SELECT usd FROM days WHERE day = ?", (day,)).fetchone()
    return float(row[0]) if row else 0.0


def book(
    database: sqlite3.Connection,
    day: str,
    cause: Cause | None,
    taken: Taken,
    parts: Sequence[Taken] = (),
) -> None:
    """Add to the day, which the budget bounds, and to what it was spent on, where that is known."""
    database.execute(
        "INSERT INTO days (day, calls, usd, tokens_in, tokens_out) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (day) DO UPDATE SET calls = calls + excluded.calls,"
        " usd = usd + excluded.usd, tokens_in = tokens_in + excluded.tokens_in,"
        " tokens_out = tokens_out + excluded.tokens_out",
        (day, taken.calls, taken.usd, taken.tokens_in, taken.tokens_out),
    )
    if cause is not None:
        spending.book(database, day, cause, taken, parts)


def redeem(
    database: sqlite3.Connection, call: int
) -> tuple[str, float, Cause | None, tuple[float, ...]]:
    """End a reservation; give its day, its price, what it was for, and the prices of its parts.

    Raises `LookupError` if there is none.
    """
    query = "DELETE FROM reservations WHERE id = ? RETURNING day, usd"
    row = database.execute(query, (call,)).fetchone()
    if row is None:
        raise LookupError(f"the ledger has no reservation {call}")
    return row[0], row[1], *spending.close_cause(database, call)
