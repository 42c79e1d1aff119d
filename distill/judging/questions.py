"""Asking about the urn, batch by batch, until it is settled which student is better.

The urn's order is random and its texts are of the half of the stream that judges first, whatever
the router made of them: each is as likely to be asked about, so no answer is weighed by the chance
with which its text was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from types import MappingProxyType

from distill.judging.rectified import Rectified
from distill.judging.scoring import Interval
from distill.judging.sequential import confidence_sequence
from distill.judging.urn import Differing, Reference, Urn, f1_per_worth, greatest_worth, worth
from schemas.settings import GateSettings
from schemas.types import Fact

Truth = frozenset[Fact]
Ask = Callable[[Sequence[str]], Mapping[str, Truth | None]]
"""Asks the teacher about texts. None is a refused answer; a text that is missing was not asked
about, and says that no more can be asked now."""

GREATEST_WORTH = 4.0
"""What one text may count for at most: two right entities for two wrong ones, say."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of the questions. `gain` is the challenger's in F1, with a confidence sequence."""

    urn: Urn
    truths: tuple[tuple[Differing, Truth], ...]
    asked: int
    gain: Interval
    refused: int = 0
    """Texts that were asked about in vain: they judge nothing."""
    known: int = 0
    """Texts that had been answered before."""
    rectified: Rectified | None = None
    """What the gain rests on where a little gold judges, with the teacher's help."""


def question(
    urn: Urn,
    ask: Ask,
    *,
    most: int,
    batch: int,
    reference: Reference,
    gate: GateSettings,
    known: Mapping[str, Truth] = MappingProxyType({}),
    sample: Mapping[str, Truth] = MappingProxyType({}),
    to_the_end: bool = False,
) -> Answered:
    """Ask about `most` texts of the urn, or fewer where a gain is certain, or out of reach.

    What is known of a random `sample` costs no question, and all of it judges. Other texts that are
    `known` cost none either, but only up to the last text that may be asked about: beyond it they
    would be too many of one sort. All are taken in the urn's random order.
    """
    found = Answered(urn, (), 0, Interval(0.0, -1.0, 1.0))
    others = [one for one in urn.differing if one.text not in sample]
    payable = {one.text for one in _payable(others, known, most)}
    waiting = [one for one in urn.differing if one.text in sample or one.text in payable]
    known = {**known, **sample}
    while waiting and (to_the_end or not (found.truths and _settled(found.gain, gate))):
        some, waiting = waiting[:batch], waiting[batch:]
        unknown = [one.text for one in some if one.text not in known]
        said = ask(unknown) if unknown else {}
        heard = _until_unasked(some, {**said, **known})
        found = _with(found, heard, asked=said, reference=reference, gate=gate)
        if len(said) < len(unknown):
            break
    return found


def _payable(
    differing: Sequence[Differing], known: Mapping[str, Truth], most: int
) -> Sequence[Differing]:
    """Give the first texts, no more than `most` of which are to be asked about."""
    unknown = [i for i, one in enumerate(differing) if one.text not in known]
    return differing if len(unknown) <= most else differing[: unknown[most]]


def _until_unasked(
    some: Sequence[Differing], said: Mapping[str, Truth | None]
) -> list[tuple[Differing, Truth]]:
    """Give what was answered, up to the first text that could not be asked about."""
    asked = takewhile(lambda one: one.text in said, some)
    return [(one, truth) for one in asked if (truth := said[one.text]) is not None]


def gain_interval(
    worths: Sequence[float], urn: Urn, *, reference: Reference, confidence: float
) -> Interval:
    """Turn worths of single texts into a gain in F1, and how sure it is."""
    bound = worth_bound(urn, reference)
    per_text = confidence_sequence(worths, bound=bound, confidence=confidence)
    scale = f1_per_worth(urn, reference)
    return Interval(per_text.estimate * scale, per_text.low * scale, per_text.high * scale)


def worth_bound(urn: Urn, reference: Reference) -> float:
    """Give what one text of the urn may count for at most, either way."""
    return min(GREATEST_WORTH, greatest_worth(urn, f1=reference.f1))


def _with(
    found: Answered,
    answers: Sequence[tuple[Differing, Truth]],
    *,
    asked: Mapping[str, Truth | None],
    reference: Reference,
    gate: GateSettings,
) -> Answered:
    truths = (*found.truths, *answers)
    worths = [worth(one, truth, f1=reference.f1) for one, truth in truths]
    gain = gain_interval(worths, found.urn, reference=reference, confidence=gate.confidence)
    return replace(
        found,
        truths=truths,
        asked=found.asked + len(asked),
        refused=found.refused + list(asked.values()).count(None),
        known=found.known + sum(one.text not in asked for one, _ in answers),
        gain=gain,
    )


def _settled(gain: Interval, gate: GateSettings) -> bool:
    return gain.low > gate.min_gain or gain.high <= gate.min_gain
