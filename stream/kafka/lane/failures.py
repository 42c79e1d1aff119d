"""When failing records are no longer bad data but a bug or a bad deploy."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from schemas.errors import FailureShareError, RecordError

_MAX_REASON_CHARS = 200


class Judged(NamedTuple):
    """What became of one record with a value: its offset, and why it failed, if it did."""

    offset: int
    error: RecordError | None


class FailureWindow:
    """The share of failures among the last `size` records of a lane; `where` names it.

    Nothing is judged before the window is full: the first record of all may be bad. Deletes,
    which are no records with a value, do not come here.
    """

    def __init__(self, *, size: int, max_share: float, where: str = "") -> None:
        self._recent: deque[Judged] = deque(maxlen=size)
        self._size = size
        self._limit = max_share * size
        self._where = where
        self._failed = 0

    def add(self, record: Judged) -> None:
        """Take one more record; raises `FailureShareError` when too many of the window failed."""
        if len(self._recent) == self._size:
            self._failed -= self._recent[0].error is not None
        self._recent.append(record)
        self._failed += record.error is not None
        if len(self._recent) == self._size and self._failed > self._limit:
            raise FailureShareError(self._message())

    def _message(self) -> str:
        offset, error = next(record for record in self._recent if record.error is not None)
        reason = f"{error.code if error else ''}: {error}"[:_MAX_REASON_CHARS]
        place = f"offset {offset} of {self._where}" if self._where else f"offset {offset}"
        return (
            f"{self._failed} of the last {self._size} records failed: that is no bad data. "
            f"The first is at {place} ({reason}). They are delivered as dead letters: look at "
            "these, mend what is wrong, start again; it goes on behind them "
            "(kafka.max_failure_share sets the limit)"
        )
