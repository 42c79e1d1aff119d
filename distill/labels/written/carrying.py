"""Verdicts carried over: what is said of a mention holds for the same words and label elsewhere.

A teacher that takes a word for what it is not does so in text after text, and is asked about a few
of them. What most verdicts on the same words under the same label say is applied to the places
that nobody asked about, those among them where the words stand without a label. Pure.

How often that is right: `docs/measurements.md`, "Text from nothing".
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from distill.labels.written.doubting import Places
from distill.labels.written.rulings import ruled
from schemas.files.task import Task
from schemas.types import Fact, SilverLabel, facts
from stream.teacher.writing.verdicts import Verdict

Judged = tuple[str, Fact, Verdict]
"""A text, the fact of it that was asked about, and what was said."""


def carried_over(
    labels: Sequence[SilverLabel], judged: Iterable[Judged], task: Task
) -> tuple[list[SilverLabel], int]:
    """Apply to each mention that was not asked about what most verdicts on its like say.

    `labels` are as after the verdicts themselves; the number is of facts that were changed.
    """
    verdicts = _Verdicts()
    for text, fact, said in judged:
        verdicts.note(text, fact, said)
    usual = verdicts.usual()
    places = Places(labels)
    kept, changed = list[SilverLabel](), 0
    for label in labels:
        found = [
            (fact, verdict)
            for fact in sorted(facts(label) | places.missed(label))
            if (label.text, fact[0]) not in verdicts.asked
            and (verdict := usual.get(_kind(label.text, fact)))
        ]
        after, effects = ruled(label, found, task)
        kept.append(after or label)
        changed += sum(one not in {"confirmed", "unusable"} for one in effects)
    return kept, changed


@dataclass(slots=True)
class _Verdicts:
    """What was said, by the words and the label that it was said of."""

    asked: set[tuple[str, int]] = field(default_factory=set)
    """Texts, and where in them a mention begins that was asked about."""
    _said: dict[tuple[str, str], Counter[Verdict]] = field(
        default_factory=lambda: defaultdict(Counter)
    )

    def note(self, text: str, fact: Fact, verdict: Verdict) -> None:
        if fact[0] < fact[1]:  # a category is of its text alone
            self.asked.add((text, fact[0]))
            self._said[_kind(text, fact)][verdict] += 1

    def usual(self) -> dict[tuple[str, str], Verdict]:
        """Give what more than half of the verdicts say, where that is right or wrong.

        Which label or which words it should be instead hangs on the text.
        """
        most = {kind: counts.most_common(1)[0] for kind, counts in self._said.items()}
        return {
            kind: verdict
            for kind, (verdict, times) in most.items()
            if 2 * times > self._said[kind].total() and verdict.ruling in {"right", "wrong"}
        }


def _kind(text: str, fact: Fact) -> tuple[str, str]:
    return text[fact[0] : fact[1]], fact[2]
