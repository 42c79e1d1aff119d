"""What a round came to, for people, for machines and for `decision.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from distill.judging.trial import Trial
from schemas.types import Promotion

Status = Literal["promoted", "refused", "waiting"]
"""`waiting`: nothing was trained, for want of labels or of records to judge on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """One round. `student` is the candidate's version, "" when none was trained."""

    status: Status
    reason: str
    started_at_ms: int
    labels: int
    new_labels: int
    splits: Mapping[str, int] = field(default_factory=dict)
    champion: str = ""
    student: str = ""
    snapshot: str = ""
    trial: Trial | None = None
    promotion: Promotion | None = None
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Give the figures for JSON."""
        return {
            "status": self.status,
            "promote": self.status == "promoted",
            "reason": self.reason,
            "started_at_ms": self.started_at_ms,
            "labels": self.labels,
            "new_labels": self.new_labels,
            "splits": dict(self.splits),
            "champion": self.champion,
            "student": self.student,
            "snapshot": self.snapshot,
            "trial": self.trial.as_dict() if self.trial else None,
            "promotion": asdict(self.promotion) if self.promotion else None,
            "seconds": self.seconds,
        }
