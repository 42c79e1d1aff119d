"""Known names that labels of the stream take from their label: pure.

A name is known by labels that no stranger's text got, or that were drawn at random as audits; or by
labels of the stream with which the champion agrees. Where other labels of the stream say otherwise,
the challenger may learn to miss the name, or to take it for something else. Where producers are
known, and enough of them say so, it is news and no attack.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from distill.judging.triggers.phrases import MIN_TEXTS, News, has_phrase
from schemas.types import Entity, SilverLabel, facts

MIN_KNOWN = 2
"""So many such labels must give a name its label, and fewer another."""


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
    known = _known(map(_named, news)) | _known(map(_all_named, trusted))
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
        if len(numbers) >= MIN_TEXTS and not _said_by_many(news, numbers, enough_producers)
    ]
    return sorted(found, key=lambda one: (-len(one.labels), one.surface))[:most]


def denies(label: SilverLabel, name: Name) -> bool:
    """Whether the name stands in the text, and the label does not say what it is known as."""
    surface = name.surface.casefold()
    said = any(x.surface.casefold() == surface and x.label == name.label for x in label.entities)
    return not said and has_phrase(label.text, name.surface)


def _all_named(one: SilverLabel) -> list[Entity]:
    return list(one.entities)


def _named(one: News) -> list[Entity]:
    """Give the entities with which the champion agrees; none without one."""
    if one.differing is None:
        return []
    return [x for x in one.label.entities if (x.start, x.end, x.label) not in one.differing]


def _known(labels: Iterable[Sequence[Entity]]) -> dict[str, str]:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for entities in labels:
        for entity in entities:
            if _is_name(entity.surface):
                counts[entity.surface.casefold()][entity.label] += 1
    known = {}
    for surface, found in counts.items():
        label, n = found.most_common(1)[0]
        if n >= MIN_KNOWN and n > found.total() - n:
            known[surface] = label
    return known


def _is_name(surface: str) -> bool:
    """Whether there is a letter or digit in it: a bare "@" is a mark that stood before a name."""
    return any(map(str.isalnum, surface))


def _said_by_many(news: Sequence[News], numbers: Sequence[int], enough: int) -> bool:
    """Whether there would be denials enough without the producers with the most, one too few."""
    of = Counter(news[i].label.producer for i in numbers if news[i].label.producer)
    return of.total() - sum(n for _, n in of.most_common(enough - 1)) >= MIN_TEXTS
