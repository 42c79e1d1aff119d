"""What a round came to, for people, for machines and for `decision.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from distill.judging.evaluation import Evaluation
from distill.judging.gate import Verdict
from schemas.types import Promotion

Status = Literal["promoted", "refused", "waiting"]
"""`waiting`: nothing was trained, for want of labels or of records to judge on."""
_RULE = ("f1_low", "gain", "gain_low")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A candidate that was trained and judged."""

    version: str
    bundle: Path
    """Its folder, kept for the newest rounds; the bundle store copies a promoted one."""
    judged_on: str
    verdict: Verdict
    challenger: Evaluation
    champion: Evaluation | None
    facts: Mapping[str, float]

    def metrics(self) -> dict[str, float]:
        """Give the figures that manifest and promotion carry."""
        evaluation, interval = self.challenger, self.verdict.interval
        name = "gain" if self.champion else "f1"
        metrics = {
            "records": float(evaluation.n_records),
            "f1": evaluation.scores.f1,
            "precision": evaluation.scores.precision,
            "recall": evaluation.scores.recall,
            "exact_share": evaluation.exact_share,
            "ece": evaluation.ece,
            name: interval.estimate,
            f"{name}_low": interval.low,
            f"{name}_high": interval.high,
        }
        if evaluation.auroc is not None:
            metrics["auroc"] = evaluation.auroc
        # The rule that it passed stands with it, whatever the settings say later.
        rule = {f"{c.name}_bound": c.bound for c in self.verdict.checks if c.name in _RULE}
        return metrics | rule

    def as_dict(self) -> dict[str, Any]:
        """Give the figures for JSON."""
        return {
            "judged_on": self.judged_on,
            "bundle": str(self.bundle),
            "verdict": self.verdict.as_dict(),
            "challenger": self.challenger.as_dict(),
            "champion": self.champion.as_dict() if self.champion else None,
            "facts": dict(self.facts),
        }


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
