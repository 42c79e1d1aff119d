"""What a round came to, for people, for machines and for `decision.json`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from distill.judging.allowance import Allowance
from distill.judging.gate import Verdict
from distill.judging.trial import Trial
from distill.judging.triggers.search import Suspect
from schemas.promises.trust import trust_facts
from schemas.types import Promotion

Status = Literal["promoted", "refused", "waiting"]
"""`waiting`: nothing was trained, for want of labels or of records to judge on."""


@dataclass(frozen=True, slots=True)
class EvidenceMissing:
    """What a round that must wait has, and needs, of records or answers to judge by.

    `need` is an estimate, None where nothing could be estimated; `eta_s` is when it may be there,
    by what the stream has earned lately for questions, None where that is not to be told.
    """

    have: int
    need: int | None
    eta_s: float | None = None

    @property
    def more(self) -> int | None:
        """How many answers more."""
        return None if self.need is None else max(self.need - self.have, 0)


def evidence_missing(verdict: Verdict, allowance: Allowance) -> EvidenceMissing | None:
    """Say what is missing where a challenger was neither good nor bad enough; else None."""
    judged = verdict.judged
    if verdict.reason != "insufficient evidence" or judged.by != "differing":
        return None
    have = judged.known + judged.asked - judged.refused
    left = allowance.questions - judged.asked
    return EvidenceMissing(have, judged.need, _eta_s(judged.need, left, allowance.per_s))


def questions_missing(allowance: Allowance, least: int) -> EvidenceMissing | None:
    """Say what is missing before a round may ask at all; None where it may."""
    have = allowance.questions
    if have >= least:
        return None
    return EvidenceMissing(have, least, _eta_s(least, have, allowance.per_s))


def _eta_s(need: int | None, have: int, per_s: float) -> float | None:
    if need is None or per_s <= 0:
        return None
    return math.ceil(max(need - have, 0) / per_s)


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
    evidence: EvidenceMissing | None = None
    cleaning: Mapping[str, int] | None = None
    """How many labels were doubted, changed, dropped, asked again about; None where none were."""
    triggers: Sequence[Suspect] = ()
    """Phrases and names of strangers that turn the candidate's tags."""
    triggers_listed: str = ""
    """The file that lists the labels they came with."""
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
            "trust": trust_facts(self.promotion) if self.promotion else None,
            "evidence": asdict(self.evidence) if self.evidence else None,
            "cleaning": dict(self.cleaning) if self.cleaning else None,
            "triggers": [one.as_dict() for one in self.triggers],
            "triggers_listed": self.triggers_listed,
            "seconds": self.seconds,
        }
