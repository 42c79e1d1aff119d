"""Shares over the stream, and drift read from what is wanted. Pure.

Not from what is granted: a budget that is always spent hides every change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

RECENT = 100
"""Records that speak for now."""

_LONGEST = 400
"""Records of earlier students that are looked at."""

_BARS = " ▁▂▃▄▅▆▇█"
_Z = 4.0
"""Standard errors that the recent share must lie above the earlier one."""
_MIN_RISE = 0.08
"""And by how much, so that a rise is worth a person's attention."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A rise of the wanted share, noticed `at` so many records into the stream."""

    at: int
    before: float
    now: float


def rise(before: Sequence[bool], recent: Sequence[bool]) -> bool:
    """Whether `recent` is wanted more often than `before`, beyond chance.

    A two-proportion z-test, pooled (Wald), far in its tail: it is asked again and again.
    """
    if len(before) < RECENT or len(recent) < RECENT:
        return False
    a, b = share(before), share(recent)
    pooled = (sum(before) + sum(recent)) / (len(before) + len(recent))
    error = math.sqrt(pooled * (1 - pooled) * (1 / len(before) + 1 / len(recent)))
    return b - a > max(_Z * error, _MIN_RISE)


def share(flags: Sequence[bool]) -> float:
    """Return the share of true flags; 0 of nothing is 0."""
    return sum(flags) / len(flags) if flags else 0.0


@dataclass(slots=True)
class DriftWatch:
    """Compares the last records with those before them, and tells once for each student.

    The recent records are all one student's. So are those before, where it has served
    long enough; else the ones of the student that it replaced must do.
    """

    drifts: list[Drift] = field(default_factory=list)
    _student: str = ""
    _since: int = 0
    _wanted: list[bool] = field(default_factory=list)
    _told: bool = False

    def add(self, *, student: str, wanted: bool) -> Drift | None:
        """Take in the next record."""
        if student != self._student:
            self._student, self._since, self._told = student, len(self._wanted), False
        self._wanted.append(wanted)
        recent, before = self._wanted[-RECENT:], self._before()
        served = len(self._wanted) - self._since
        if self._told or served < RECENT or not rise(before, recent):
            return None
        self._told = True
        self.drifts.append(Drift(len(self._wanted), before=share(before), now=share(recent)))
        return self.drifts[-1]

    def _before(self) -> list[bool]:
        end = len(self._wanted) - RECENT
        own = self._wanted[self._since : max(end, 0)]
        return own if len(own) >= RECENT else self._wanted[max(end - _LONGEST, 0) : max(end, 0)]


def windows(flags: Sequence[bool], size: int) -> list[float]:
    """Return the share in each window of `size` records, the last one perhaps shorter."""
    return [share(flags[i : i + size]) for i in range(0, len(flags), size)]


def spark(shares: Sequence[float]) -> str:
    """Draw one bar for each share, from empty to full."""
    return "".join(_BARS[min(int(share * len(_BARS)), len(_BARS) - 1)] for share in shares)
