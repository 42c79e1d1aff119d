"""How many of the newest answers could not be used, and whether that is worth a warning."""

from __future__ import annotations

from collections import deque

_WINDOW_ANSWERS = 100
_LEAST_ANSWERS = 20
_MOST = 0.5


class RefusedShare:
    """The share refused of the last 100 answers; `alarmed` when it passes one half.

    An alarm comes once, and again only after the share has fallen below. Fewer than 20 answers
    say nothing yet.
    """

    def __init__(self) -> None:
        self._refused: deque[bool] = deque(maxlen=_WINDOW_ANSWERS)
        self._alarmed = False

    @property
    def share(self) -> float:
        """Between 0 and 1; 0 without answers."""
        return sum(self._refused) / len(self._refused) if self._refused else 0.0

    def add(self, *, refused: bool) -> bool:
        """Take note of an answer; true when this is the moment to warn somebody."""
        self._refused.append(refused)
        most = len(self._refused) >= _LEAST_ANSWERS and self.share > _MOST
        alarm, self._alarmed = most and not self._alarmed, most
        return alarm
