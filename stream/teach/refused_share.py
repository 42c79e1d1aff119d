"""How many of the newest answers could not be used, and whether that is worth a warning."""

from __future__ import annotations

from collections import deque

_WINDOW_ANSWERS = 100
_LEAST_ANSWERS = 20
_MOST = 0.5
_CALM = 0.4


class RefusedShare:
    """The share refused of the last 100 answers, and an alarm when it passes one half.

    The alarm comes once, and again only after the share has fallen below two fifths. Fewer than
    20 answers say nothing yet.
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
        was, limit = self._alarmed, _CALM if self._alarmed else _MOST
        self._alarmed = len(self._refused) >= _LEAST_ANSWERS and self.share > limit
        return self._alarmed and not was
