"""What came back from the system, counted. Pure: fed with decoded values, in any order.

A record is known by its id. What matters to a consumer that upserts is kept: how often each
pair of record and revision was seen, and the last event (the higher revision, then the
later one).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from schemas.types import (
    EntityEvent,
    Promotion,
    SilverLabel,
    TeacherRequest,
    text_digest,
)

_UNWANTED = frozenset({"confident", "trusted", "blank"})
"""Reasons of events that nobody would have asked the teacher about."""


@dataclass(frozen=True, slots=True)
class Counts:
    """`lost`: neither revision 1 nor dead letter. `duplicated`: surplus (record, revision) pairs.

    `uncorrected`: granted without a revision 2. `wanted` and `deferred` count records.
    """

    records: int
    lost: int
    duplicated: int
    uncorrected: int
    dead: int
    wanted: int
    deferred: int
    unanswered: int
    """Granted records whose revision 2 is the student's: refused, expired, failed."""

    def share(self, part: int) -> float:
        """`part` as a share of the records; 0 of nothing is 0."""
        return part / self.records if self.records else 0.0


@dataclass(slots=True)
class Observations:
    """Everything that the output topics said so far."""

    last: dict[str, EntityEvent] = field(default_factory=dict)
    granted: set[str] = field(default_factory=set)
    thresholds: dict[str, float] = field(default_factory=dict)
    promotions: list[Promotion] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    labels: dict[str, SilverLabel] = field(default_factory=dict)
    _first: dict[str, EntityEvent] = field(default_factory=dict)
    _pairs: Counter[tuple[str, int]] = field(default_factory=Counter)

    def add_event(self, event: EntityEvent) -> None:
        """Take an event of the `entities` topic; a provisional one was granted by definition."""
        self._pairs[event.record_id, event.revision] += 1
        if event.revision == 1:
            self._first[event.record_id] = event
            if event.status == "provisional":
                self.granted.add(event.record_id)
        old = self.last.get(event.record_id)
        if old is None or event.revision >= old.revision:
            self.last[event.record_id] = event

    def add_request(self, request: TeacherRequest) -> None:
        """Take a deferred record of the `teacher-requests` topic."""
        self.granted.add(request.record_id)

    def add_promotion(self, promotion: Promotion) -> None:
        """Note the promotion, and its threshold by the version of the policy that events name."""
        self.promotions.append(promotion)
        self.thresholds[promotion.policy_digest] = promotion.policy.threshold

    def add_dead_letter(self, record_id: str) -> None:
        """Note a record that could not be decoded or tagged."""
        self.dead.add(record_id)

    def add_label(self, label: SilverLabel) -> None:
        """Take a label of the `silver-labels` topic; a later one replaces it, but no person's."""
        old = self.labels.get(text_digest(label.text))
        if old is None or old.source != "human" or label.source == "human":
            self.labels[text_digest(label.text)] = label

    def is_done(self, record_id: str) -> bool:
        """Whether nothing more is to come for this record."""
        if record_id in self.dead:
            return True
        if (record_id, 1) not in self._pairs:
            return False
        return record_id not in self.granted or self._is_answered(record_id)

    def has_first(self, record_id: str) -> bool:
        """Whether the record has a revision 1 or is a dead letter."""
        return (record_id, 1) in self._pairs or record_id in self.dead

    def firsts(self, since: int = 0) -> list[EntityEvent]:
        """Return the first revisions in the order they came, from the `since`-th on."""
        return list(islice(self._first.values(), since, None))

    def first(self, record_id: str) -> EntityEvent | None:
        """Return the record's revision 1, if there is one: what the student said of it."""
        return self._first.get(record_id)

    def said(self, record_id: str) -> EntityEvent | None:
        """Return the record's last revision, if there is one."""
        return self.last.get(record_id)

    def counts(self, record_ids: Iterable[str]) -> Counts:
        """Count over these records."""
        ids = set(record_ids)
        granted = self.granted & ids
        return Counts(
            records=len(ids),
            lost=sum(not self.has_first(record_id) for record_id in ids),
            duplicated=sum(n - 1 for (record_id, _), n in self._pairs.items() if record_id in ids),
            uncorrected=sum((record_id, 2) not in self._pairs for record_id in granted),
            dead=len(self.dead & ids),
            wanted=sum(self.is_wanted(record_id) for record_id in ids),
            deferred=len(granted),
            unanswered=sum(self._is_unanswered(record_id) for record_id in granted),
        )

    def _is_answered(self, record_id: str) -> bool:
        """Whether revision 2 is there, and the label that a teacher's answer makes."""
        if (record_id, 2) not in self._pairs:
            return False
        event = self.last[record_id]
        return event.decided_by == "student" or event.text_digest in self.labels

    def is_wanted(self, record_id: str) -> bool:
        """Whether the router wanted the record's answer, whatever the budget allowed."""
        event = self._first.get(record_id)
        return event is not None and self.wants(event)

    def wants(self, event: EntityEvent) -> bool:
        """Whether the router wanted an answer when it made this first revision."""
        if event.reason in _UNWANTED:
            return False
        # The lot of the strategy `random` falls on wanted and unwanted records alike.
        threshold = self.thresholds.get(event.policy_version, 1.0)
        return event.reason != "random" or event.confidence < threshold

    def _is_unanswered(self, record_id: str) -> bool:
        event = self.last.get(record_id)
        return event is not None and event.revision == 2 and event.decided_by == "student"  # noqa: PLR2004  the revision's number
