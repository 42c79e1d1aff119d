"""What stands on `entities` for the records of one partition of the text topic: pure.

A survey covers a window of input offsets, so that memory is bounded however long the range is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.types import DecidedBy, EntityEvent, Fact, facts


@dataclass(frozen=True, slots=True)
class Standing:
    """What a record's event of the highest revision says, as far as a revision asks."""

    revision: int
    decided_by: DecidedBy
    provisional: bool
    facts: frozenset[Fact]
    student_version: str
    produced_at_ms: int

    @classmethod
    def of(cls, event: EntityEvent) -> Standing:
        """Reduce an event."""
        return cls(
            revision=event.revision,
            decided_by=event.decided_by,
            provisional=event.status == "provisional",
            facts=facts(event),
            student_version=event.student_version,
            produced_at_ms=event.produced_at_ms,
        )


@dataclass(slots=True)
class Survey:
    """The events of one partition, read in their order; those of `window` are kept.

    `tagged_to` is the first input offset that lanes have not come to, as the group says.
    """

    task: str
    source: str
    """`<topic>-<partition>`, which ids of its records begin with."""
    window: range
    tagged_to: int
    first_tagged: int | None = None
    """The lowest input offset whose first revision is still there."""
    beyond_at: int | None = None
    """Where the events of records behind the window begin: the next window's survey does there."""
    _standing: dict[int, Standing] = field(default_factory=dict)

    def add(self, event: EntityEvent, *, at: int) -> None:
        """Take an event, which stands at this offset of its partition."""
        source, _, number = event.record_id.rpartition("-")
        if event.task != self.task or source != self.source or not number.isdecimal():
            return
        offset = int(number)
        if event.revision == 1:
            self._saw_tagged(offset)
        if offset >= self.window.stop and self.beyond_at is None:
            self.beyond_at = at
        if offset in self.window:
            self._keep(offset, event)

    def next(self, window: range) -> Survey:
        """Begin the survey of the window that follows."""
        return Survey(self.task, self.source, window, self.tagged_to, self.first_tagged)

    def of(self, offset: int) -> Standing | None:
        """Tell what stands for the record at this offset of the window."""
        return self._standing.get(offset)

    def is_tagged(self, offset: int) -> bool:
        """Whether lanes have come to the record: its first event, or dead letter, was written."""
        return offset < self.tagged_to

    def is_expired(self, offset: int) -> bool:
        """Whether nothing stands because retention took it; else it was a dead letter, or a delete.

        Lanes write first revisions in the order of their records.
        """
        gone = self.first_tagged is None or offset < self.first_tagged
        return offset not in self._standing and gone and self.is_tagged(offset)

    def _saw_tagged(self, offset: int) -> None:
        self.tagged_to = max(self.tagged_to, offset + 1)
        if self.first_tagged is None or offset < self.first_tagged:
            self.first_tagged = offset

    def _keep(self, offset: int, event: EntityEvent) -> None:
        known = self._standing.get(offset)
        # The higher revision wins, then the later offset: as consumers do.
        if known is None or event.revision >= known.revision:
            self._standing[offset] = Standing.of(event)
