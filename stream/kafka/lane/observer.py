"""Who is told of what lanes do: metrics and tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.errors import RecordError


@dataclass(frozen=True, slots=True)
class BatchReport:
    """One batch, delivered and committed.

    `records` were taken in, `errors` holds one entry for each that became a dead letter,
    `outgoing` records were written. `seconds` run from the fetch to the commit, `lag` is how
    many records were left then, as far as was known. `deletes` of the records had nothing to
    tag: they were passed over.
    """

    partition: int
    records: int
    outgoing: int
    errors: tuple[RecordError, ...]
    seconds: float
    lag: int
    deletes: int = 0


class LaneObserver(Protocol):
    """Called on the event loop, so it must be quick; what it raises ends the worker."""

    def assigned(self, partitions: Sequence[int]) -> None:
        """Take note that these partitions are ours now, all of them, and no others."""

    def revoked(self, partitions: Sequence[int]) -> None:
        """Take note that these partitions are ours no more."""

    def delivered(self, report: BatchReport) -> None:
        """Take note of a finished batch."""

    def retried(self, partition: int, error: Exception) -> None:
        """Take note that a lane begins again at its committed offset."""

    def expired(self, partition: int, records: int) -> None:
        """Take note that so many records were gone before they were read."""


class NoObserver:
    """Looks at nothing."""

    def assigned(self, partitions: Sequence[int]) -> None:
        """Ignore it."""

    def revoked(self, partitions: Sequence[int]) -> None:
        """Ignore it."""

    def delivered(self, report: BatchReport) -> None:
        """Ignore it."""

    def retried(self, partition: int, error: Exception) -> None:
        """Ignore it."""

    def expired(self, partition: int, records: int) -> None:
        """Ignore it."""
