"""Known names that labels of the stream take from their label: pure.

A name is known by labels that no stranger's text got, or that were drawn at random as audits. Where
labels of the stream say otherwise, the challenger may learn to miss the name, or to take it for
something else. Where producers are known, and enough of them say so, it is news and no attack.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from distill.judging.triggers.phrases import MIN_TEXTS, News
from schemas.types import SilverLabel, facts

MIN_KNOWN = 2
"""So many trusted labels must give a name its label, and fewer another."""


@dataclass(frozen=True, slots=True)
class Name:
    """A known name, its label, and which labels deny it (places among the news)."""

    surface: str
    label: str
    labels: tuple[int, ...]


def denied_names(
    news: Sequence[News], trusted: Sequence[SilverLabel], *, enough_producers: int, most: int
) -> list[Name]:
    """Find the known names that labels deny, the most often denied first."""
    known = _known(trusted)
    denials: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    surfaces: dict[tuple[str, str], str] = {}
    for number, one in enumerate(news):
        said = facts(one.label)
        for start, end, label in sorted(one.differing or ()):
            surface = one.label.text[start:end]
            right = known.get(surface.casefold())
            # Of what the label says another label denies, of what the champion says the known one.
            if right is None or (label == right) == ((start, end, label) in said):
                continue
            pair = (surface.casefold(), right)
            if number not in denials[pair]:
                denials[pair].append(number)
                surfaces.setdefault(pair, surface)
    found = [
        Name(surfaces[pair], pair[1], tuple(numbers))
        for pair, numbers in denials.items()
        if len(numbers) >= MIN_TEXTS and _producers(news, numbers) < enough_producers
    ]
    return sorted(found, key=lambda one: (-len(one.labels), one.surface))[:most]


def _known(trusted: Sequence[SilverLabel]) -> dict[str, str]:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in trusted:
        for entity in one.entities:
            counts[entity.surface.casefold()][entity.label] += 1
    known = {}
    for surface, labels in counts.items():
        label, n = labels.most_common(1)[0]
        if n >= MIN_KNOWN and n > labels.total() - n:
            known[surface] = label
    return known


def _producers(news: Sequence[News], numbers: Sequence[int]) -> int:
    return len({news[i].label.producer for i in numbers} - {""})
