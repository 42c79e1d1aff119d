"""The urn: of the newest texts, those that two students tag differently.

What they agree on adds nothing to the difference between them, so each question is spent where they
differ. `docs/measurements.md`, "Judges without gold", says what that is worth.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distill.judging.scoring import LabelScore, Said
from schemas.near_duplicates import ONE_TEXT, NearDuplicates
from schemas.types import Fact


@dataclass(frozen=True, slots=True)
class Differing:
    """A text, and what each of the students says of it."""

    text: str
    champion: frozenset[Fact]
    challenger: frozenset[Fact]


@dataclass(frozen=True, slots=True)
class Urn:
    """The differing texts, in the random order in which they are asked about.

    Texts that are alike, but for digits, case and spaces or in nearly all their parts, are one, for
    what is said of one is no further evidence on the others. `texts` counts all that were
    compared, `champion_facts` and `challenger_facts` what was said of these, by label.
    """

    differing: tuple[Differing, ...]
    texts: int
    champion_facts: Mapping[str, int]
    challenger_facts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Reference:
    """How good the champion is, as far as records that were never trained on tell.

    Its `f1` says what a wrong fact costs beside what a right one is worth; `gold_per_said` is the
    number of gold facts for each of its own.
    """

    f1: float = 1.0
    gold_per_said: float = 1.0


def fill_urn(texts: Sequence[str], champion: Said, challenger: Said, *, seed: str) -> Urn:
    """Compare what two students said of the texts; the order of asking is drawn by `seed`."""
    taken = NearDuplicates(similar=ONE_TEXT)
    one_each = [
        Differing(text, frozenset(old), frozenset(new))
        for text, old, new in zip(texts, champion, challenger, strict=True)
        if taken.take(text) is None
    ]
    differing = [one for one in one_each if one.champion != one.challenger]
    return Urn(
        differing=tuple(sorted(differing, key=lambda one: _lot(one.text, seed))),
        texts=len(one_each),
        champion_facts=Counter(fact[2] for one in one_each for fact in one.champion),
        challenger_facts=Counter(fact[2] for one in one_each for fact in one.challenger),
    )


def worth(one: Differing, truth: frozenset[Fact], *, f1: float) -> float:
    """Give what the challenger's tagging is worth above the champion's, in right facts twice.

    With TP right ones of P said, and G gold facts, F1 = 2 TP / (P + G), so the gain in F1 is the
    sum of 2 dTP - F1 dP over all texts, divided by P + G of the challenger: F1 the champion's. Of
    one category a text it is 2, 0 or -2, and the gain is in accuracy.
    """
    right = len(one.challenger & truth) - len(one.champion & truth)
    said = len(one.challenger) - len(one.champion)
    return 2 * right - f1 * said


def greatest_worth(urn: Urn, *, f1: float) -> float:
    """Give the most that a text of the urn can be worth, for one student or the other."""

    def most(one: Differing) -> float:
        new, old = len(one.challenger - one.champion), len(one.champion - one.challenger)
        return max((2 - f1) * new + f1 * old, f1 * new + (2 - f1) * old)

    return max(map(most, urn.differing), default=1.0)


def f1_per_worth(urn: Urn, reference: Reference) -> float:
    """Give the gain in F1 that a mean worth of 1 in the urn makes over all texts."""
    gold = sum(urn.champion_facts.values()) * reference.gold_per_said
    return len(urn.differing) / max(sum(urn.challenger_facts.values()) + gold, 1.0)


def reference_of(champion: LabelScore) -> Reference:
    """Take the champion's scores on what was never trained on; few facts tell nothing."""
    if champion.predicted < _ENOUGH_FACTS or champion.gold < _ENOUGH_FACTS:
        return Reference()
    return Reference(f1=champion.f1, gold_per_said=champion.gold / champion.predicted)


_ENOUGH_FACTS = 20


def _lot(text: str, seed: str) -> bytes:
    return hashlib.sha256(f"{seed}:{text}".encode()).digest()
