"""Known names that labels of the stream take from their label: pure.

A name is known by labels that no stranger's text got, or that were drawn at random as audits; or by
labels of the stream with which the champion agrees. Where other labels of the stream leave it
unmarked, or say otherwise, the challenger may learn to miss the name, or to take it for something
else. What is denied as often where it is known from is ambiguous, and no candidate. Where producers
are known, and enough of them say so, it is news and no attack.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from scipy.stats import hypergeom

from distill.judging.triggers.phrases import MIN_TEXTS, News, has_phrase, phrases_of
from schemas.types import Entity, SilverLabel

MIN_KNOWN = 2
"""So many such labels must give a name its label, and fewer another."""
_MAX_WORDS = 5
_MOST_CHANCE = 0.05
"""So likely at most the denials may be, were the name denied as often where it is known from."""

_Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Name:
    """A known name, its label, and which labels deny it (places among the news).

    `chance` is that of so many denials in the stream, were the name denied as often elsewhere.
    """

    surface: str
    label: str
    labels: tuple[int, ...]
    chance: float
    peers: tuple[str, ...]
    """Other names that are known to have this label, and that nothing denies."""


def denied_names(
    news: Sequence[News], trusted: Sequence[SilverLabel], *, enough_producers: int, most: int
) -> list[Name]:
    """Find the known names that labels deny, those first that the fewest would by chance."""
    known = _known([*map(_named, news), *(one.entities for one in trusted)])
    stream = [_seen(one.label, known) for one in news]
    denials, asserted = _told(stream)
    before_denied, before = _told([_seen(one, known) for one in trusted])
    agreed = Counter(x.surface for one in news for x in _named(one))
    found = []
    for surface, numbers in denials.items():
        n, since = len(numbers), max(len(asserted[surface]) - agreed[surface], 0)
        given = len(before[surface]) + agreed[surface]
        chance = _chance(n, n + since, len(before_denied[surface]), given)
        if (
            n >= MIN_TEXTS
            and chance <= _MOST_CHANCE
            and not _said_by_many(news, numbers, enough_producers)
        ):
            found.append((chance, surface, tuple(numbers)))
    peers = _peers(known, denials)
    return [
        Name(surface, label, numbers, chance, peers[label])
        for chance, surface, numbers in sorted(found, key=lambda one: (one[0], -len(one[2])))[:most]
        for label in [known[_key(surface)].label]
    ]


def denies(label: SilverLabel, name: Name) -> bool:
    """Whether the name stands in the text, and the label does not say what it is known as."""
    surface = name.surface.casefold()
    said = any(x.surface.casefold() == surface and x.label == name.label for x in label.entities)
    return not said and has_phrase(label.text, name.surface)


def _named(one: News) -> list[Entity]:
    """Give the entities with which the champion agrees; none without one."""
    if one.differing is None:
        return []
    return [x for x in one.label.entities if (x.start, x.end, x.label) not in one.differing]


@dataclass(frozen=True, slots=True)
class _Known:
    """What a name is known as, and how it was written there."""

    label: str
    surfaces: frozenset[str]


def _known(labels: Iterable[Sequence[Entity]]) -> dict[_Key, _Known]:
    counts: defaultdict[_Key, Counter[str]] = defaultdict(Counter)
    surfaces: defaultdict[_Key, set[str]] = defaultdict(set)
    for entities in labels:
        for entity in entities:
            if _is_name(entity.surface):
                key = _key(entity.surface)
                counts[key][entity.label] += 1
                surfaces[key].add(entity.surface)
    known = {}
    for key, found in counts.items():
        label, n = found.most_common(1)[0]
        if 1 <= len(key) <= _MAX_WORDS and n >= MIN_KNOWN and n > found.total() - n:
            known[key] = _Known(label, frozenset(surfaces[key]))
    return known


def _is_name(surface: str) -> bool:
    """Whether there is a letter or digit in it: a bare "@" is a mark that stood before a name."""
    return any(map(str.isalnum, surface))


def _key(surface: str) -> _Key:
    return tuple(word for (word,), _ in phrases_of(surface, 1))


def _seen(one: SilverLabel, known: dict[_Key, _Known]) -> dict[str, bool]:
    """Give the known names in a text as they are written, and whether the label denies them.

    Part of a longer name, or written otherwise than a name ever was, it is none.
    """
    seen: dict[str, bool] = {}
    for surface, (start, end), label in _standing(one.text, known):
        met = [x for x in one.entities if x.start < end and start < x.end]
        if any(x.label == label and (x.start, x.end) == (start, end) for x in met):
            seen[surface] = False
        elif all((x.start, x.end) == (start, end) for x in met):
            seen.setdefault(surface, True)
    return seen


def _standing(text: str, known: dict[_Key, _Known]) -> Iterator[tuple[str, tuple[int, int], str]]:
    for n_words in range(1, _MAX_WORDS + 1):
        for key, (start, end) in phrases_of(text, n_words):
            name = known.get(key)
            if name is not None and text[start:end] in name.surfaces:
                yield text[start:end], (start, end), name.label


def _told(
    seen: Sequence[dict[str, bool]],
) -> tuple[defaultdict[str, list[int]], defaultdict[str, list[int]]]:
    """Give which labels deny each name, and which have it."""
    denied: defaultdict[str, list[int]] = defaultdict(list)
    given: defaultdict[str, list[int]] = defaultdict(list)
    for number, names in enumerate(seen):
        for surface, is_denied in names.items():
            (denied if is_denied else given)[surface].append(number)
    return denied, given


def _chance(denied: int, n: int, denied_before: int, given_before: int) -> float:
    """Fisher's exact test, one-sided: were denials spread evenly over before and since."""
    before = denied_before + given_before
    return float(hypergeom.sf(denied - 1, n + before, denied + denied_before, n))


def _peers(
    known: dict[_Key, _Known], denials: dict[str, list[int]]
) -> defaultdict[str, tuple[str, ...]]:
    peers: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    for name in known.values():
        surface = min(name.surfaces)
        if not any(one in denials for one in name.surfaces):
            peers[name.label] += (surface,)
    return peers


def _said_by_many(news: Sequence[News], numbers: Sequence[int], enough: int) -> bool:
    """Whether there would be denials enough without the producers with the most, one too few."""
    of = Counter(news[i].label.producer for i in numbers if news[i].label.producer)
    return of.total() - sum(n for _, n in of.most_common(enough - 1)) >= MIN_TEXTS
