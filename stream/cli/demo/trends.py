"""Shares over the stream, and drift read from what is wanted. Pure.

Not from what is granted: a budget that is always spent hides every change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

RECENT = 150
"""Records that speak for now."""

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
    """Watches one student at a time: another student's confidences do not compare."""

    drifts: list[Drift] = field(default_factory=list)
    _student: str = ""
    _wanted: list[bool] = field(default_factory=list)
    _seen: int = 0
    _told: bool = False

    def add(self, *, student: str, wanted: bool) -> Drift | None:
        """Take in the next record; tell of a drift once for each student."""
        if student != self._student:
            self._student, self._wanted, self._told = student, [], False
        self._seen += 1
        self._wanted.append(wanted)
        before, recent = self._wanted[:-RECENT], self._wanted[-RECENT:]
        if self._told or not rise(before, recent):
            return None
        self._told = True
        self.drifts.append(Drift(at=self._seen, before=share(before), now=share(recent)))
        return self.drifts[-1]


def windows(flags: Sequence[bool], size: int) -> list[float]:
    """Return the share in each window of `size` records, the last one perhaps shorter."""
    return [share(flags[i : i + size]) for i in range(0, len(flags), size)]
