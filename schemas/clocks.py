"""Times that others wrote down, believed up to now.

Nothing was made in the future. A clock that was wrong once, or somebody who wants his labels to be
the newest for ever, must not stop the loop or rule it: what is dated after now counts as old as
what lies before it in the log, for the order of a log nobody can forge.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime


class LogClock:
    """Says how old the records of a log are, each partition in its order; `now_ms` is asked."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._newest: dict[int, int] = {}

    def believe(self, said_ms: int, *, partition: int = 0) -> int:
        """Give the time that a record says; for one after now the newest before it, or 0."""
        if said_ms > self._now_ms():
            return self._newest.get(partition, 0)
        self._newest[partition] = max(said_ms, self._newest.get(partition, said_ms))
        return said_ms


def past(times_ms: Iterable[int], *, now_ms: int) -> list[int]:
    """Leave out the times that are still to come."""
    return [time_ms for time_ms in times_ms if time_ms <= now_ms]


def iso_of(at_ms: int) -> str:
    """Spell a time out for people: ISO 8601, UTC, to the second."""
    moment = datetime.fromtimestamp(at_ms / 1000, tz=UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def now_ms() -> int:
    """Read the machine's clock: milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
