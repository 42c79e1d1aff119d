"""Spans of time whose labels are held back, because the teacher had changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.types import SilverLabel


@dataclass(frozen=True, slots=True)
class Hold:
    """Labels that the teacher made after `since_ms`; open while `until_ms` is None.

    It ends `released` where a person accepts the teacher: then they count again. Where another
    teacher takes over they stay held back.
    """

    since_ms: int
    until_ms: int | None = None
    released: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the teacher is still doubted."""
        return self.until_ms is None

    def covers(self, at_ms: int) -> bool:
        """Whether what the teacher said at this time is held back."""
        before_end = self.until_ms is None or at_ms < self.until_ms
        return not self.released and self.since_ms < at_ms and before_end


def open_hold(holds: Iterable[Hold]) -> Hold | None:
    """Give the hold that is open, if any."""
    return next((hold for hold in holds if hold.is_open), None)


def is_withheld(label: SilverLabel, holds: Iterable[Hold]) -> bool:
    """Whether the label is held back; what people say never is."""
    by_teacher = label.source != "human"
    return by_teacher and any(hold.covers(label.labelled_at_ms) for hold in holds)
