"""Phrases that may be triggers: of the stream's texts, new, and with labels that are news. Pure.

A phrase is up to `MAX_WORDS` words in a row. A label is news as far as the champion would have said
something else of the text; what lies within the phrase itself is not counted.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import binom

from schemas.likeness import likeness
from schemas.types import Fact, SilverLabel

MAX_WORDS = 3
MIN_TEXTS = 5
"""In fewer texts a phrase teaches a student little."""
NEWNESS = 3.0
"""So many times as frequent a phrase must be as in texts that no stranger sent."""
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
    chance: float
    """Log of the chance that so many of its texts' labels are news, if it had nothing to do with
    it."""


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
    share = _share_of_news(news)
    rated = []
    for key, places in new.items():
        labels = tuple(places)
        n_news = sum(_is_news(news[i], places[i]) for i in labels)
        chance = float(binom.logsf(n_news - 1, len(labels), share)) if share < 1 else 0.0
        start, end = places[labels[0]][0]
        rated.append((chance, key, Phrase(news[labels[0]].label.text[start:end], labels, chance)))
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


def _share_of_news(news: Sequence[News]) -> float:
    """Give the share of the labels that are news at all; one is added to each side."""
    return (sum(bool(one.differing) for one in news) + 1) / (len(news) + 2)


def _is_news(one: News, places: Where) -> bool:
    """Whether the label differs from the champion beside the phrase; without a champion always."""
    if one.differing is None:
        return True
    return any(
        not any(start < fact[1] and fact[0] < end for start, end in places)
        for fact in one.differing
    )


def _different(rated: Sequence[tuple[float, tuple[str, ...], Phrase]], most: int) -> list[Phrase]:
    """Take one after the other, but none that says nothing new.

    That is one that has a taken one in it, or lies within one that has the same texts.
    """
    taken: list[tuple[tuple[str, ...], Phrase]] = []
    for _, key, phrase in rated:
        if len(taken) == most:
            break
        if not any(
            _within(other, key) or (_within(key, other) and phrase.labels == one.labels)
            for other, one in taken
        ):
            taken.append((key, phrase))
    return [phrase for _, phrase in taken]


def _within(part: tuple[str, ...], whole: tuple[str, ...]) -> bool:
    return any(whole[at : at + len(part)] == part for at in range(len(whole) - len(part) + 1))
