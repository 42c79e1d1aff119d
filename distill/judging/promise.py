"""What a new student may promise: its taggings of records that nobody learnt from, and the proof.

Against the teacher the evidence is both halves of the audits, drawn at random from the stream, and
the cold start's fifth. The cold start's records are none of the stream: what they prove holds of
texts like those that it was begun with. So they count while the audits are few, fewer than twice
what a proof takes, and the promotion says how many of the evidence were the stream's.
Against people it is gold, unless that judged before already when the stream changed: older gold
proves nothing of the stream as it is, and an unproven promise waits for other gold.

Calibration is fitted on some of the same records. It reorders none, so which of them are accepted
at a rank does not depend on it. The gate may judge on some of them too: the proof's risk is that of
each student made, whether or not it is promoted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from distill.labels.judges import Judges, as_examples
from distill.labels.splits import Splits
from schemas.files.corpus import Example
from schemas.files.task import Task
from schemas.files.task_identity import asked_facts
from schemas.promises.bounds import least_needed, lower_bound
from schemas.promises.keeping import overall_of
from schemas.promises.proving import HALF, Asked, Sighting, prove, threshold_of
from schemas.promises.record import Against, LabelBound, Promised, promised_by
from schemas.promises.settings import PromiseSettings
from schemas.promises.shortage import MOST_AUDITS, is_short
from schemas.promises.taking_back import taken_back
from schemas.types import (
    Category,
    Entity,
    Fact,
    Promotion,
    SilverLabel,
    Tagging,
    facts,
)
from stream.student import Student


@dataclass(frozen=True, slots=True)
class PromiseAsked:
    """What is to be promised; `people` are gold records that nobody learnt from."""

    settings: PromiseSettings = field(default_factory=PromiseSettings)
    people: Sequence[Example] = ()
    since_ms: int = 0
    """Audits from before a promise broke tell of another stream."""
    is_gold_older: bool = False
    """Whether gold tells of that other stream too."""
    unproved_share: float = HALF
    """The most of the records, in [0, 0.5], that is settled alone where nothing is proved."""

    @classmethod
    def of(
        cls,
        settings: PromiseSettings,
        judges: Judges,
        champion: Promotion | None = None,
        history: Sequence[Promotion] = (),
    ) -> PromiseAsked:
        """Take gold where the round has some, and what students of the `history` have met.

        The one in force may promise nothing and know nothing of that: one of before promises, or
        one that was brought back. Gold that judged before the stream changed is of the time before.
        """
        known = map(promised_by, (champion, *history)) if champion else ()
        since_ms = max((found.since_ms for found in known if found), default=0)
        gold = judges.examples if judges.source == "gold" else ()
        judged = {entry.gold_digest for entry in history if entry.promoted_at_ms <= since_ms}
        return cls(settings, gold, since_ms, is_gold_older=bool(gold) and judges.digest in judged)

    @property
    def against(self) -> Against:
        """Whom the student is to agree with: `auto` are people, where they prove enough alone."""
        if self.settings.against != "auto":
            return self.settings.against
        if self.is_gold_older:
            return "teacher"
        least = _least(self.settings.asked)
        return "people" if least is not None and len(self.people) >= least else "teacher"


@dataclass(frozen=True, slots=True)
class Proved:
    """What a student may promise, and its policy's `threshold`."""

    promised: Promised
    threshold: float


def proved(student: Student, splits: Splits, asked: PromiseAsked, task: Task) -> Proved:
    """Let the student tag the evidence, and prove what it can be relied on for.

    The policy's threshold is that of the proof. Where nothing is proved and the budget buys more
    than half, it is as high as leaves no more to the student alone.
    """
    audits, cold_start = _evidence(splits, since_ms=asked.since_ms)
    by_teacher = _seen(student, as_examples(audits, task))
    against, wanted = asked.against, asked.settings.asked
    if against == "people":
        seen, n_stream = _seen(student, asked.people), 0
    else:
        few = len(audits) < 2 * (_least(wanted) or 0)
        seen = by_teacher + (_seen(student, as_examples(cold_start, task)) if few else [])
        n_stream = len(audits)
    sightings = [one.sighting for one in seen]
    proof = prove(sightings, wanted)
    live = [one.sighting for one in by_teacher]
    agreed = [one.sighting.right for one in by_teacher if one.is_accepted(proof.threshold)]
    bound = lower_bound(agreed.count(False), len(agreed), risk=wanted.risk)
    promised = Promised(
        asked=wanted,
        against=against,
        proof=proof,
        watched=wanted.agreement if against == "teacher" else min(bound, wanted.agreement),
        stream=n_stream,
        since_ms=asked.since_ms,
        overall=overall_of(live, wanted),
        short=against == "teacher" and proof.state != "kept" and is_short(live, wanted),
        per_label=per_label(seen, wanted),
    )
    if against == "people" and asked.is_gold_older:
        promised = taken_back(promised, since_ms=asked.since_ms)
    return Proved(promised, _threshold(promised, sightings, asked.unproved_share))


def _threshold(promised: Promised, evidence: Sequence[Sighting], unproved_share: float) -> float:
    threshold = promised.proof.threshold
    if promised.proof.state == "kept" or unproved_share >= HALF:
        return threshold
    return max(threshold, threshold_of(evidence, unproved_share))


@dataclass(frozen=True, slots=True)
class Seen:
    """A record of the evidence, with what the student said and what it ought to have said."""

    sighting: Sighting
    said: frozenset[Fact]
    truth: frozenset[Fact]
    sure: Mapping[str, float]
    """How sure it was of each label that it says, where it was least so."""

    def is_accepted(self, threshold: float) -> bool:
        """Whether the student settles it alone."""
        return self.sighting.confidence >= threshold

    def is_right_in(self, label: str) -> bool:
        """Whether all that it says of the label is right."""
        return {fact for fact in self.said if fact[2] == label} <= self.truth


def per_label(seen: Sequence[Seen], asked: Asked) -> dict[str, LabelBound]:
    """Prove a threshold of its own for each label: of the records that say it, those right in it.

    The unit is the record: mentions of one text are not drawn apart from each other.
    """
    labels = sorted({label for one in seen for _, _, label in one.said})
    return {label: _bound(label, seen, asked) for label in labels}


def _bound(label: str, seen: Sequence[Seen], asked: Asked) -> LabelBound:
    said = [one for one in seen if any(fact[2] == label for fact in one.said)]
    proof = prove([Sighting(one.sure[label], one.is_right_in(label)) for one in said], asked)
    return LabelBound(
        threshold=proof.threshold,
        accepted_share=proof.accepted_share,
        audited=proof.audited,
        errors=proof.errors,
        bound=proof.bound,
        state=proof.state,
    )


def _evidence(splits: Splits, *, since_ms: int) -> tuple[list[SilverLabel], list[SilverLabel]]:
    """Give the newest audits, and the cold start's part."""
    kept = sorted((*splits.calibration, *splits.judge), key=lambda label: label.labelled_at_ms)
    audits = [one for one in kept if one.audit and one.labelled_at_ms >= since_ms]
    return audits[-MOST_AUDITS:], [one for one in kept if not one.audit and not since_ms]


def _seen(student: Student, examples: Sequence[Example]) -> list[Seen]:
    taggings = student.tag([one.text for one in examples])
    return [
        Seen(Sighting(tagging.confidence, said == facts(one)), said, facts(one), _sure(tagging))
        for one, tagging in zip(examples, taggings, strict=True)
        for said in [asked_facts(tagging, one.unasked)]
    ]


def _sure(tagging: Tagging) -> dict[str, float]:
    found: dict[str, float] = {}
    parts: Iterable[Entity | Category] = (*tagging.entities, *tagging.categories)
    for one in parts:
        found[one.label] = min(one.confidence, found.get(one.label, 1.0))
    return found


def _least(asked: Asked) -> int | None:
    return least_needed(asked.agreement, risk=asked.risk)
