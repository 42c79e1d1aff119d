"""What a run of `revise` did, for people and machines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from stream.revise.deciding import Kept
from stream.revise.times import TimeRange


@dataclass(slots=True, kw_only=True)
class RevisionResult:
    """Counts of records: `read` is `changed` and all that is `kept`.

    `published` is `changed` without what the brokers refused as too large; of a dry run it is 0.
    `next_from_ms` is where a run would begin that goes on; None when the range was read to its end.
    """

    times: TimeRange
    student_version: str
    dry_run: bool
    read: int = 0
    published: int = 0
    refused: int = 0
    changed_by: Counter[str] = field(default_factory=Counter)
    """By who decides now: `student`, `teacher` or `person`."""
    kept: Counter[Kept] = field(default_factory=Counter)
    next_from_ms: int | None = None

    @property
    def changed(self) -> int:
        """How many records differ from what was published."""
        return self.changed_by.total()

    def stopped_at(self, timestamp_ms: int) -> None:
        """Take note that a partition's records from this time on were left."""
        earliest = timestamp_ms if self.next_from_ms is None else self.next_from_ms
        self.next_from_ms = min(earliest, timestamp_ms)

    def as_dict(self) -> dict[str, Any]:
        """Give the facts as JSON takes them."""
        return {
            "from_ms": self.times.from_ms,
            "to_ms": self.times.to_ms,
            "student": self.student_version,
            "dry_run": self.dry_run,
            "read": self.read,
            "changed": self.changed,
            "published": self.published,
            "changed_by": dict(self.changed_by),
            "kept": dict(self.kept),
            "refused": self.refused,
            "complete": self.next_from_ms is None,
            "next_from_ms": self.next_from_ms,
        }
