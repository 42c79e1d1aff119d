"""Questions beside a little gold: people's judgement of two students, with the teacher's help.

The teacher is asked about the gold texts where the two differ, and then about the stream's. What he
says of gold shows how far he may be followed (`rectified.py`). All that may be asked is asked,
and the interval is taken once, at the end: it is none that one may look at again and again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from distill.judging.questions import Answered, Ask, Truth, question, worth_bound
from distill.judging.rectified import rectified
from distill.judging.scoring import Interval
from distill.judging.urn import Reference, Urn, f1_per_worth, worth
from schemas.settings import GateSettings


@dataclass(frozen=True, slots=True)
class LittleGold:
    """The gold texts, where the students differ on some, and what people say of them.

    `known` is what the teacher has said of some.
    """

    urn: Urn
    people: Mapping[str, Truth]
    known: Mapping[str, Truth]

    @property
    def unknown(self) -> list[str]:
        """The differing texts that the teacher was not asked about."""
        return [one.text for one in self.urn.differing if one.text not in self.known]


def question_beside(
    gold: LittleGold,
    urn: Urn,
    ask: Ask,
    *,
    known: Mapping[str, Truth],
    most: int,
    batch: int,
    reference: Reference,
    gate: GateSettings,
) -> Answered:
    """Ask about gold, then about the `urn`, `most` texts in all.

    `known` are earlier answers about the urn's texts.
    """
    unknown = gold.unknown[:most]
    said = ask(unknown) if unknown else {}
    found = question(
        urn,
        ask,
        known=known,
        most=most - len(said) if len(said) == len(unknown) else 0,
        batch=batch,
        reference=reference,
        gate=gate,
        to_the_end=True,
    )
    by_teacher = {**gold.known, **said}
    pairs = [
        (one, gold.people[one.text], truth)
        for one in gold.urn.differing
        if (truth := by_teacher.get(one.text)) is not None
    ]
    f1, scale = reference.f1, f1_per_worth(urn, reference)
    by_people = rectified(
        [(worth(one, people, f1=f1), worth(one, truth, f1=f1)) for one, people, truth in pairs],
        [worth(one, truth, f1=f1) for one, truth in found.truths],
        bound=worth_bound(urn, reference),
        confidence=gate.confidence,
    )
    mean = by_people.mean
    return replace(
        found,
        truths=(*((one, people) for one, people, _ in pairs), *found.truths),
        asked=found.asked + len(said),
        refused=found.refused + list(said.values()).count(None),
        known=found.known + sum(one.text not in said for one, _, _ in pairs),
        gain=Interval(mean.estimate * scale, mean.low * scale, mean.high * scale),
        rectified=by_people,
    )
