"""The rule for a challenger without gold: by answers where it and the champion differ.

Quality is asked for as the gate does with gold: the estimate of the gain above `min_gain`, and a
loss beyond `max_loss` excluded, here by a confidence sequence over the answers instead of a
bootstrap over gold. Where rounds could not tell, what is usual speaks too (`presumption.py`).
Label by label, facts that only one of the two found are compared in the same answers. What else the
gate asks is asked as far as there are records to ask it of. Where a little gold judges, the gain is
by people, and the answers help as far as they foresee people (`little_gold.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import variance

from distill.judging.gate import (
    Check,
    Evidence,
    Verdict,
    ece_check,
    found_by_label,
    recall_check,
    ruled,
    slowdown_check,
)
from distill.judging.judged import Judged
from distill.judging.presumption import expected_gain, weighed
from distill.judging.questions import Answered
from distill.judging.scoring import score
from distill.judging.urn import Reference, f1_per_worth, worth
from schemas.settings import GateSettings

_STAKES_COST = 1.0
"""What the gambler's not knowing the right stake costs, in log capital."""


@dataclass(frozen=True, slots=True)
class Contest:
    """`known` are both students on what was never trained on, beside what the teacher answered."""

    known: Evidence
    answered: Answered
    reference: Reference
    presumed_at: int | None = None
    """From so many answers on what is usual for a challenger is presumed; None: nothing is."""
    changed: bool = False
    """Whether the stream has changed since the champion."""


def judge_differing(contest: Contest, settings: GateSettings) -> Verdict:
    """Decide on the answers; the first check that fails gives the reason."""
    checks = tuple(_checks(contest, settings))
    presumed = any(check.name == "gain_expected" for check in checks)
    promote, reason = ruled(checks, passed="presumed better" if presumed else "promoted")
    known, answered = contest.known, contest.answered
    return Verdict(
        promote=promote,
        reason=reason,
        checks=checks,
        interval=answered.gain,
        scores=score(known.gold, known.challenger.predicted),
        champion_scores=score(known.gold, known.champion.predicted) if known.champion else None,
        judged=Judged(
            "differing",
            answered.gain,
            asked=answered.asked,
            differing=len(answered.urn.differing),
            refused=answered.refused,
            known=answered.known,
            texts=answered.urn.texts,
            need=needed_answers(contest, settings),
            presumed=contest.presumed_at is not None,
            changed=contest.changed,
            gold=answered.rectified.gold if answered.rectified else 0,
            followed=answered.rectified.followed if answered.rectified else None,
        ),
    )


def needed_answers(contest: Contest, settings: GateSettings) -> int | None:
    """Estimate how many answers exclude a loss, if the gain is what it seems; None once they do.

    The log of the capital grows by some (distance / deviation)^2 / 2 an answer.
    """
    answered, gains = contest.answered, _gains(contest)
    distance = answered.gain.estimate + settings.max_loss
    excluded = answered.gain.low > -settings.max_loss
    if answered.rectified or excluded or len(gains) < 2 or distance <= 0:  # noqa: PLR2004  a variance needs two
        return None  # beside a little gold it is gold that is missing
    wanted = math.log(2 / (1 - settings.confidence)) + _STAKES_COST
    return max(math.ceil(2 * wanted * variance(gains) / distance**2), len(gains) + 1)


def _gains(contest: Contest) -> list[float]:
    """Give the gain in F1 that each answer tells of."""
    answered, reference = contest.answered, contest.reference
    scale = f1_per_worth(answered.urn, reference)
    return [scale * worth(one, truth, f1=reference.f1) for one, truth in answered.truths]


def _checks(contest: Contest, settings: GateSettings) -> Iterator[Check]:
    """Ask every question, the gravest first."""
    known, answered = contest.known, contest.answered
    failures = len(known.parity_failures)
    yield Check("parity_failures", failures == 0, failures, 0, "parity failed")
    texts, answers = answered.urn.texts, len(answered.truths)
    yield Check("texts", texts > 0, texts, 1, "insufficient evidence")
    unanswered = bool(answered.urn.differing) and not answers
    yield Check("answers", not unanswered, answers, 1, "insufficient evidence")
    yield from _gain_checks(contest, settings)
    yield from _recall_checks(answered, settings)
    if known.champion and len(known.gold) >= settings.min_records:
        yield ece_check(known.champion, known.challenger, settings)
    if known.champion:
        yield slowdown_check(known.champion, known.challenger, settings)


def _gain_checks(contest: Contest, settings: GateSettings) -> Iterator[Check]:
    """Ask for a proof; where none could be had for long, for the greater likelihood."""
    gain, least, loss = contest.answered.gain, settings.min_gain, -settings.max_loss
    proved = gain.estimate > least and gain.low > loss
    presumed = None
    if not proved and contest.presumed_at is not None:
        presumed = _presumed(contest, least=contest.presumed_at)
    if presumed is not None:
        yield Check("gain_expected", presumed > least, presumed, least, "no gain")
        return
    yield Check("gain", gain.estimate > least, gain.estimate, least, "no gain")
    yield Check("gain_low", gain.low > loss, gain.low, loss, "insufficient evidence")


def _presumed(contest: Contest, *, least: int) -> float | None:
    """Hear the answers, or gold and answers where these tell by how much; None: nobody.

    Nor is anything usual of two that say the same of all of the stream.
    """
    answered, by_people = contest.answered, contest.answered.rectified
    if not answered.urn.differing:
        return None
    if by_people is None or not by_people.is_told:
        return expected_gain(_gains(contest), least=least)
    if len(answered.truths) < least:
        return None
    scale = f1_per_worth(answered.urn, contest.reference)
    return weighed(answered.gain.estimate, by_people.variance * scale**2)


def _recall_checks(answered: Answered, settings: GateSettings) -> Iterator[Check]:
    """Check each label; what was found in the answers stands for all texts where they differ."""
    found = found_by_label(
        [truth for _, truth in answered.truths],
        [one.champion for one, _ in answered.truths],
        [one.challenger for one, _ in answered.truths],
    )
    urn = answered.urn
    each = len(urn.differing) / max(len(answered.truths), 1)
    for label, (_, lost, won) in found:
        drop = each * (lost - won) / max(urn.champion_facts.get(label, 0), 1)
        yield recall_check(label, drop, lost=lost, won=won, settings=settings)
