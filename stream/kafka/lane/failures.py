"""When failing records are no longer bad data but a bug or a bad deploy."""

from __future__ import annotations

from collections import deque

from schemas.errors import FailureShareError


class FailureWindow:
    """The share of failures among the last `size` records of a lane.

    Nothing is judged before the window is full: the first record of all may be bad.
    """

    def __init__(self, *, size: int, max_share: float) -> None:
        self._recent: deque[bool] = deque(maxlen=size)
        self._size = size
        self._limit = max_share * size
        self._failed = 0

    def add(self, *, failed: bool) -> None:
        """Take one more record; raises `FailureShareError` when too many of the window failed."""
        if len(self._recent) == self._size:
            self._failed -= self._recent[0]
        self._recent.append(failed)
        self._failed += failed
        if len(self._recent) == self._size and self._failed > self._limit:
            raise FailureShareError(
                f"{self._failed} of the last {self._size} records failed: that is no bad data. "
                "Look at the dead letters, mend what is wrong, start again "
                "(kafka.max_failure_share sets the limit)"
            )
