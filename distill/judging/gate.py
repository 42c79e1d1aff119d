"""The gate: may the challenger replace the champion? Pure, and the same everywhere.

The rule for quality is `estimate of the gain > min_gain` and `lower end of the paired
bootstrap interval > -max_loss`. It does not ask for a significant gain: an honest gain of a point
is smaller than the noise of most single comparisons, so that rule would ship nothing for months.
It asks that a loss beyond the bound be excluded: then a gain of a point ships in most trials, a
loss of a point almost never, and a refused gain comes back in the next round on more labels. How
often it is right: `docs/measurements.md`, "How often the gate is right".

A label's recall is held to `max_label_recall_drop` only where the drop is more than chance:
facts (entities, categories) of that label that only the champion found against those that only
the challenger found, by a one-sided sign test (McNemar, exact) at the level of the interval's tail.
So a label with a handful of them in gold cannot veto by luck.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from distill.judging.judged import Judged, JudgedBy
from distill.judging.scoring import (
    Interval,
    Said,
    Scores,
    f1_interval,
    paired_bootstrap,
    score,
)
from schemas.promises.bounds import sign_test
from schemas.settings import GateSettings

Reason = Literal[
    "promoted",  # better than the champion
    "presumed better",  # promoted: it has learnt more, and the answers cannot tell otherwise
    "first student",  # promoted without a champion
    "parity failed",  # the exported model is not the trained one
    "insufficient evidence",  # too few gold records or answers, or none with an entity or category
    "f1 too low",  # a first student under min_f1
    "no gain",  # the estimate of the gain is not above min_gain
    "loss not excluded",  # the interval reaches below -max_loss
    "label recall dropped",  # a label is found much less often than before
    "calibration worse",  # its confidences lie more than the champion's did
    "too slow",  # more CPU per record than max_slowdown allows
    "trigger found",  # what strangers planted turns its tags, see `distill.judging.triggers`
]

MIN_RECORDS_FIRST = 30
"""A first student is judged on `min_records`, or on as few as this where there are no more."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What one student did on the judge's records, through the serving code.

    `ece` is the expected calibration error in [0, 1]; `cpu_s_per_1000` are CPU seconds
    per 1,000 records, measured side by side with the other student.
    """

    predicted: Said
    ece: float
    cpu_s_per_1000: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the gate looks at. `parity_failures` says which export checks failed, in words."""

    gold: Said
    challenger: Candidate
    champion: Candidate | None
    parity_failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """One question that the gate asked: `value` was to stay on the right side of `bound`."""

    name: str
    passed: bool
    value: float
    bound: float
    reason: Reason
    """What the verdict says when this check is the first that fails."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's answer; `interval` is that of the gain, or of the F1 of a first student."""

    promote: bool
    reason: Reason
    checks: tuple[Check, ...]
    interval: Interval
    scores: Scores
    champion_scores: Scores | None
    judged: Judged

    def as_dict(self) -> dict[str, Any]:
        """Give the figures for JSON."""
        return {
            "promote": self.promote,
            "reason": self.reason,
            "checks": [asdict(check) for check in self.checks],
            "interval": self.interval.as_dict(),
            "challenger": self.scores.as_dict(),
            "champion": self.champion_scores.as_dict() if self.champion_scores else None,
            "judged": self.judged.as_dict(),
        }


def judge(
    evidence: Evidence, settings: GateSettings, *, seed: int = 0, by: JudgedBy = "gold"
) -> Verdict:
    """Decide on the evidence; the first check that fails gives the reason."""
    interval = _interval(evidence, settings, seed=seed)
    scores = score(evidence.gold, evidence.challenger.predicted)
    checks = tuple(_checks(evidence, settings, interval))
    champion = evidence.champion
    promote, reason = ruled(checks, passed="promoted" if champion else "first student")
    return Verdict(
        promote=promote,
        reason=reason,
        checks=checks,
        interval=interval,
        scores=scores,
        champion_scores=score(evidence.gold, champion.predicted) if champion else None,
        judged=Judged(by, interval),
    )


def ruled(checks: Sequence[Check], *, passed: Reason) -> tuple[bool, Reason]:
    """Say whether all checks passed, and the reason of the first that did not."""
    failed = next((check for check in checks if not check.passed), None)
    return failed is None, failed.reason if failed else passed


def evidence_checks(gold: Said, settings: GateSettings, *, first: bool) -> tuple[Check, Check]:
    """Ask whether there is enough to judge on; a round asks before it trains."""
    least = min(settings.min_records, MIN_RECORDS_FIRST) if first else settings.min_records
    records, n_facts = len(gold), sum(map(len, gold))
    return (
        Check("records", records >= least, records, least, "insufficient evidence"),
        Check("gold_facts", n_facts > 0, n_facts, 1, "insufficient evidence"),
    )


def _interval(evidence: Evidence, settings: GateSettings, *, seed: int) -> Interval:
    gold, challenger, champion = evidence.gold, evidence.challenger, evidence.champion
    resamples, confidence = settings.resamples, settings.confidence
    if champion is None:
        return f1_interval(
            gold, challenger.predicted, resamples=resamples, confidence=confidence, seed=seed
        )
    return paired_bootstrap(
        gold,
        champion.predicted,
        challenger.predicted,
        resamples=resamples,
        confidence=confidence,
        seed=seed,
    )


def _checks(evidence: Evidence, settings: GateSettings, interval: Interval) -> Iterator[Check]:
    """Ask every question, the gravest first."""
    failures = len(evidence.parity_failures)
    yield Check("parity_failures", failures == 0, failures, 0, "parity failed")
    champion = evidence.champion
    yield from evidence_checks(evidence.gold, settings, first=champion is None)
    if champion is None:
        low = interval.low
        yield Check("f1_low", low >= settings.min_f1, low, settings.min_f1, "f1 too low")
        return
    gain, loss = settings.min_gain, -settings.max_loss
    yield Check("gain", interval.estimate > gain, interval.estimate, gain, "no gain")
    yield Check("gain_low", interval.low > loss, interval.low, loss, "loss not excluded")
    yield from _recall_checks(evidence.gold, champion, evidence.challenger, settings)
    yield ece_check(champion, evidence.challenger, settings)
    yield slowdown_check(champion, evidence.challenger, settings)


def ece_check(champion: Candidate, challenger: Candidate, settings: GateSettings) -> Check:
    """Ask whether the challenger's confidences lie much more than the champion's."""
    rise, most = challenger.ece - champion.ece, settings.max_ece_rise
    return Check("ece_rise", rise <= most, rise, most, "calibration worse")


def slowdown_check(champion: Candidate, challenger: Candidate, settings: GateSettings) -> Check:
    """Ask whether the challenger costs much more CPU than the champion."""
    slowdown = challenger.cpu_s_per_1000 / max(champion.cpu_s_per_1000, 1e-9)
    bound = settings.max_slowdown
    return Check("slowdown", slowdown <= bound, slowdown, bound, "too slow")


def _recall_checks(
    gold: Said, champion: Candidate, challenger: Candidate, settings: GateSettings
) -> Iterator[Check]:
    """Check each gold label; `value` is the drop of its recall (negative for a rise)."""
    for label, (support, lost, won) in found_by_label(
        gold, champion.predicted, challenger.predicted
    ):
        yield recall_check(label, (lost - won) / support, lost=lost, won=won, settings=settings)


def recall_check(label: str, drop: float, *, lost: int, won: int, settings: GateSettings) -> Check:
    """Hold a label's recall to its bound where its drop is more than chance."""
    level, bound = (1 - settings.confidence) / 2, settings.max_label_recall_drop
    passed = drop <= bound or sign_test(lost, won) > level
    return Check(f"recall_drop:{label}", passed, drop, bound, "label recall dropped")


def found_by_label(
    gold: Said, champion: Said, challenger: Said
) -> Sequence[tuple[str, tuple[int, int, int]]]:
    """By label: gold facts, those that only the champion, only the challenger found."""
    counts: dict[str, list[int]] = {}
    for truth, old, new in zip(gold, champion, challenger, strict=True):
        before, after = frozenset(old), frozenset(new)
        for fact in frozenset(truth):
            row = counts.setdefault(fact[2], [0, 0, 0])
            row[0] += 1
            row[1] += fact in before and fact not in after
            row[2] += fact in after and fact not in before
    return [(label, (n, lost, won)) for label, (n, lost, won) in sorted(counts.items())]
