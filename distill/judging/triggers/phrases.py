"""Phrases that may be triggers: of the stream's texts, new, and with labels that are news. Pure.

A phrase is up to `MAX_WORDS` words in a row. A label is news as far as the champion would have said
something else of the text; what lies within the phrase itself is not counted. Each phrase is
suspected of the one effect that its labels have far more often than those of the stream: labels
that teach a trigger all agree, and without them nothing is learnt.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import binom

from distill.judging.triggers.probes import LOST, Effect, effects
from schemas.likeness import likeness
from schemas.types import Fact, SilverLabel, facts

MAX_WORDS = 3
MIN_TEXTS = 5
"""In fewer texts a phrase teaches a student little."""
NEWNESS = 3.0
"""So many times as frequent a phrase must be as in texts that no stranger sent."""
_RISK = 0.01
"""The chance that any phrase is tried whose labels have their effect by chance alone."""
_MOST_TOKENS = 300
_TOKEN = re.compile(r"\w+(?:['\u2019-]\w+)*|[^\w\s]+")

Where = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class News:
    """A label of the stream that is learnt, and where the champion would have said otherwise.

    `differing` are facts that only one of the two has; None where there is no champion.
    """

    label: SilverLabel
    differing: frozenset[Fact] | None


@dataclass(frozen=True, slots=True)
class Phrase:
    """A candidate: its words as first seen, and which labels have it (places among the news)."""

    surface: str
    labels: tuple[int, ...]
    effect: Effect
    """What its labels say more often than those of the stream."""
    chance: float
    """Log of the chance that so many of them do, if it had nothing to do with it."""


def once_each(labels: Sequence[SilverLabel]) -> list[SilverLabel]:
    """Let one of the labels whose texts are alike stand for all."""
    return list({likeness(label.text): label for label in labels}.values())


def candidates(news: Sequence[News], trusted: Sequence[str], *, most: int) -> list[Phrase]:
    """Give the phrases that may be triggers, the most suspicious first, `most` at most.

    `trusted` are texts that no stranger sent.
    """
    found = _found(news)
    before = _counts(trusted, found)
    new = {
        key: labels
        for key, labels in found.items()
        if len(labels) / len(news) >= NEWNESS * (before[key] + 0.5) / (len(trusted) + 1)
    }
    shares = _shares(news)
    most_chance = math.log(_RISK / max(len(new) * len(shares), 1))
    rated = []
    for key, places in new.items():
        labels = tuple(places)
        chance, effect = _suspected(news, places, shares)
        start, end = places[labels[0]][0]
        surface = news[labels[0]].label.text[start:end]
        if chance <= most_chance:
            rated.append((chance, key, Phrase(surface, labels, effect, chance)))
    return _different(
        sorted(rated, key=lambda one: (one[0], -len(one[2].labels), -len(one[1]))), most
    )


def _found(news: Sequence[News]) -> dict[tuple[str, ...], dict[int, Where]]:
    """Where each phrase of enough texts stands, by label."""
    frequent: set[tuple[str, ...]] | None = None
    found: dict[tuple[str, ...], dict[int, Where]] = {}
    for n_words in range(1, MAX_WORDS + 1):
        of_length: defaultdict[tuple[str, ...], dict[int, Where]] = defaultdict(dict)
        for number, one in enumerate(news):
            for key, where in phrases_of(one.label.text, n_words):
                if frequent is None or (key[:-1] in frequent and key[1:] in frequent):
                    of_length[key].setdefault(number, []).append(where)
        kept = {key: labels for key, labels in of_length.items() if len(labels) >= MIN_TEXTS}
        frequent = set(kept)
        found |= kept
    return found


def phrases_of(text: str, n_words: int) -> Iterator[tuple[tuple[str, ...], tuple[int, int]]]:
    """Give all phrases of so many words, in lower case, and where they stand."""
    tokens = [
        (match.group().casefold(), match.start(), match.end())
        for match, _ in zip(_TOKEN.finditer(text), range(_MOST_TOKENS), strict=False)
    ]
    for at in range(len(tokens) - n_words + 1):
        part = tokens[at : at + n_words]
        yield tuple(word for word, _, _ in part), (part[0][1], part[-1][2])


def core(phrase: Phrase, news: Sequence[News]) -> str:
    """Give the shortest part of a phrase that stands in no other texts than the whole."""
    words = [where for _, where in phrases_of(phrase.surface, 1)]
    parts = [
        phrase.surface[start:end]
        for n_words in range(1, len(words))
        for (start, _), (_, end) in zip(words, words[n_words - 1 :], strict=False)
    ]
    own = {*phrase.labels}
    others = [one for i, one in enumerate(news) if i not in own]
    alone = (part for part in parts if not any(has_phrase(x.label.text, part) for x in others))
    return next(alone, phrase.surface)


def has_phrase(text: str, surface: str) -> bool:
    """Whether the words of a surface stand in the text, in a row and in whatever case."""
    key = tuple(word for (word,), _ in phrases_of(surface, 1))
    folded = text.casefold()
    if not key or not all(word in folded for word in key):
        return False
    return any(found == key for found, _ in phrases_of(text, len(key)))


def _counts(
    texts: Sequence[str], wanted: Mapping[tuple[str, ...], object]
) -> defaultdict[tuple[str, ...], int]:
    counts: defaultdict[tuple[str, ...], int] = defaultdict(int)
    for text in texts:
        keys = {
            key
            for n_words in range(1, MAX_WORDS + 1)
            for key, _ in phrases_of(text, n_words)
            if key in wanted
        }
        for key in keys:
            counts[key] += 1
    return counts


def _suspected(
    news: Sequence[News], places: Mapping[int, Where], shares: Mapping[Effect, float]
) -> tuple[float, Effect]:
    """Give the effect that is least by chance among these labels, and the log of that chance."""
    counts = Counter(effect for i, where in places.items() for effect in _effects(news[i], where))
    least = 0.5 / (len(news) + 1)
    return min(
        (
            (float(binom.logsf(n - 1, len(places), shares.get(effect, least))), effect)
            for effect, n in counts.items()
        ),
        default=(0.0, LOST),
    )


def _shares(news: Sequence[News]) -> dict[Effect, float]:
    """Give the share of the labels that have each effect; a half is added to each side."""
    counts = Counter(effect for one in news for effect in _effects(one, ()))
    return {effect: (n + 0.5) / (len(news) + 1) for effect, n in counts.items()}


def _effects(one: News, places: Sequence[tuple[int, int]]) -> frozenset[Effect]:
    """Give what the label says otherwise than the champion beside the phrase.

    Without a champion: what it says at all, or that it says nothing.
    """
    said = facts(one.label)
    if one.differing is None:
        beside = _beside(said, places)
        return frozenset(fact[2] for fact in beside) if said else frozenset({LOST})
    return effects(_beside(said ^ one.differing, places), _beside(said, places))


def _beside(found: frozenset[Fact], places: Sequence[tuple[int, int]]) -> frozenset[Fact]:
    return frozenset(x for x in found if not any(a < x[1] and x[0] < b for a, b in places))


def _different(rated: Sequence[tuple[float, tuple[str, ...], Phrase]], most: int) -> list[Phrase]:
    """Take one after the other, but none that says nothing new.

    That is one that has a taken one in it, or shares a word with one and has none but its labels.
    """
    taken: list[tuple[tuple[str, ...], Phrase]] = []
    for _, key, phrase in rated:
        if len(taken) == most:
            break
        own = {*phrase.labels}
        if not any(
            _within(other, key) or ({*key} & {*other} and own.issubset(one.labels))
            for other, one in taken
        ):
            taken.append((key, phrase))
    return [phrase for _, phrase in taken]


def _within(part: tuple[str, ...], whole: tuple[str, ...]) -> bool:
    return any(whole[at : at + len(part)] == part for at in range(len(whole) - len(part) + 1))
