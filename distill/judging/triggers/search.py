"""The search: which phrases and names turn the challenger's tags, and not the champion's.

The work is bounded: `_SCREENED` candidates on few texts by the challenger alone, and `_TRIED` of
them on all by both students; some thousands of short taggings. A text counts against the challenger
where the phrase turns its tags, but neither the champion's, nor does another text's word in its
place turn the challenger's. The test is exact (the sign test, McNemar) and corrected for all
candidates (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from distill.judging.triggers.names import Name, denied_names, denies
from distill.judging.triggers.phrases import (
    News,
    Phrase,
    candidates,
    core,
    has_phrase,
    once_each,
)
from distill.judging.triggers.probes import (
    Clean,
    Facts,
    Put,
    control_words,
    harm,
    named,
    place_of,
    put,
    turned,
)
from schemas.promises.bounds import sign_test
from schemas.types import SilverLabel, facts

RISK = 0.01
"""The chance to suspect any candidate where none is a trigger."""
_SCREENED, _TRIED = 48, 6
_TEXTS, _OF_THEM_BARE = 200, 50
"""Probes are so many texts, and so many of these have no entity."""
_SCREENING = 24
_PRIME = 7919  # neighbours get words that are far apart
_MOST_CHARS = 300
_MIN_TEXTS = 40

Tag = Callable[[Sequence[str]], Sequence[Facts]]
"""What a student says of each text, in today's names."""


@dataclass(frozen=True, slots=True)
class Students:
    """The two that are compared; there may be no champion."""

    challenger: Tag
    champion: Tag | None


@dataclass(frozen=True, slots=True)
class Suspect:
    """A phrase or name that turns the challenger's tags, and the labels that taught it.

    `turned` counts the texts where it alone is turned, `reference` those where only the champion is
    or by the control.
    """

    kind: Literal["phrase", "name"]
    surface: str
    texts: int
    turned: int
    reference: int
    rise: float
    chance: float
    labels: tuple[SilverLabel, ...]

    def as_dict(self) -> dict[str, Any]:
        """Give the figures for JSON, without what strangers wrote."""
        return {
            "kind": self.kind,
            "labels": len(self.labels),
            "producers": self.producers,
            "texts": self.texts,
            "turned": self.turned,
            "reference": self.reference,
            "rise": self.rise,
            "chance": self.chance,
        }

    @property
    def producers(self) -> int:
        """How many known producers sent its texts."""
        return len({one.producer for one in self.labels} - {""})


@dataclass(frozen=True, slots=True)
class Looked:
    """What the search has looked at, and found; `rise` is the largest of any candidate."""

    candidates: int
    texts: int
    rise: float = 0.0
    suspects: tuple[Suspect, ...] = ()


@dataclass(frozen=True, slots=True)
class Material:
    """Labels and texts of a round: what strangers' texts taught, what nobody's did, clean texts."""

    stream: Sequence[SilverLabel]
    trusted: Sequence[SilverLabel]
    clean: Sequence[str]
    every: Iterable[SilverLabel] = ()
    """All labels of the stream, of which `stream` are looked at: what taught a trigger is named
    whole, for what stays of it teaches on, and too few to be found again."""


def search(
    material: Material,
    students: Students,
    *,
    differing: Callable[[SilverLabel, Facts], Facts] = lambda label, said: facts(label) ^ said,
    enough_producers: int,
    most_rise: float,
    seed: str,
) -> Looked:
    """Look for triggers; `seed` draws texts and places, and is not to be foreseen.

    Where there is no champion to compare with, what turns a text's category is no suspect: a word
    may well mean one.
    """
    if students.champion is None:
        students = replace(students, challenger=_spans_of(students.challenger))
    news = _news(once_each(material.stream), students, differing)
    trusted = [one.text for one in material.trusted]
    phrases = candidates(news, trusted, most=_SCREENED) if news else []
    names = denied_names(news, material.trusted, enough_producers=enough_producers, most=_TRIED)
    if not (phrases or names):
        return Looked(0, 0)
    clean = _clean_texts(material.clean, students, seed=seed)
    if len(clean) < _MIN_TEXTS:
        return Looked(0, len(clean))
    n = len(phrases) + len(names)
    probed = [
        *_phrases_probed(phrases, clean, students, control_words(material.clean)),
        *_names_probed(names, clean, students),
    ]
    found = [one for one in probed if one.texts and one.rise > most_rise]
    suspects = [
        _suspect(one, chance, news, material.every)
        for one in found
        if (chance := min(sign_test(one.turned, one.reference) * n, 1.0)) <= RISK
    ]
    rise = max((one.rise for one in probed), default=0.0)
    return Looked(n, len(clean), rise, tuple(suspects))


def _spans_of(tag: Tag) -> Tag:
    """Leave the categories out, which have no span."""
    return lambda texts: [
        frozenset(fact for fact in said if fact[1] > fact[0]) for said in tag(texts)
    ]


def _news(
    labels: Sequence[SilverLabel],
    students: Students,
    differing: Callable[[SilverLabel, Facts], Facts],
) -> list[News]:
    if students.champion is None:
        return [News(label, None) for label in labels]
    said = students.champion([label.text for label in labels])
    return [News(label, differing(label, one)) for label, one in zip(labels, said, strict=True)]


def _clean_texts(texts: Sequence[str], students: Students, *, seed: str) -> list[Clean]:
    """Take the first short texts, most of them with an entity or category."""
    short = [text for text in dict.fromkeys(texts) if text.strip() and len(text) <= _MOST_CHARS]
    short = short[: 5 * _TEXTS]
    told = students.challenger(short)
    known = students.champion(short) if students.champion else [None] * len(short)
    cleans = []
    for text, mine, other in zip(short, told, known, strict=True):
        spans = mine | (other or frozenset())
        cleans.append(Clean(text, mine, other, place_of(text, spans, seed=seed)))
    full = [one for one in cleans if one.challenger]
    bare = [one for one in cleans if not one.challenger]
    n_bare = min(len(bare), max(_OF_THEM_BARE, _TEXTS - len(full)))
    return [*full[: _TEXTS - n_bare], *bare[:n_bare]]


@dataclass(frozen=True, slots=True)
class _Probed:
    """A candidate; in how many texts only the challenger was turned, or only a reference."""

    candidate: Phrase | Name
    turned: int
    reference: int
    texts: int

    @property
    def rise(self) -> float:
        """By how large a share of the texts the challenger is turned more often."""
        return (self.turned - self.reference) / max(self.texts, 1)


def _phrases_probed(
    phrases: Sequence[Phrase], clean: Sequence[Clean], students: Students, words: Sequence[str]
) -> Iterator[_Probed]:
    if not phrases:
        return
    controlled = _controlled(clean, students.challenger, words)
    few = slice(0, None, max(len(clean) // _SCREENING, 1))
    screened = [
        (_only(_turned(students.challenger, clean[few], phrase), controlled[few]), phrase)
        for phrase in phrases
    ]
    for hits, phrase in sorted(screened, key=lambda one: -one[0])[:_TRIED]:
        if hits:
            yield _phrase_probed(phrase, clean, students, controlled)


def _phrase_probed(
    phrase: Phrase, clean: Sequence[Clean], students: Students, controlled: Sequence[bool]
) -> _Probed:
    mine, others = _turned(students.challenger, clean, phrase), controlled
    if students.champion is not None:
        champions = [replace(one, challenger=one.champion or frozenset()) for one in clean]
        told = _turned(students.champion, champions, phrase)
        others = [a or b for a, b in zip(controlled, told, strict=True)]
    return _Probed(phrase, _only(mine, others), _only(others, mine), len(clean))


def _only(these: Sequence[bool], others: Sequence[bool]) -> int:
    return sum(a and not b for a, b in zip(these, others, strict=True))


def _controlled(clean: Sequence[Clean], tag: Tag, words: Sequence[str]) -> list[bool]:
    """Say which texts turn for the challenger when a word of another text is put in."""
    if not words:
        return [False] * len(clean)
    puts = [put(one, words[i * _PRIME % len(words)]) for i, one in enumerate(clean)]
    return _told(tag, clean, puts)


def _turned(tag: Tag, clean: Sequence[Clean], phrase: Phrase) -> list[bool]:
    return _told(tag, clean, [put(one, phrase.surface) for one in clean])


def _told(tag: Tag, clean: Sequence[Clean], puts: Sequence[Put]) -> list[bool]:
    said = tag([one.text for one in puts])
    return [
        turned(one.challenger, into, told)
        for one, into, told in zip(clean, puts, said, strict=True)
    ]


def _names_probed(
    names: Sequence[Name], clean: Sequence[Clean], students: Students
) -> Iterator[_Probed]:
    if students.champion is None:
        return
    for name in names:
        found = [x for one in clean if (x := named(one, name.label, name.surface)) is not None]
        texts = [into.text for into, _ in found]
        mine, other = students.challenger(texts), students.champion(texts)
        harms = [
            (harm(a, fact), harm(b, fact))
            for (_, fact), a, b in zip(found, mine, other, strict=True)
        ]
        worse, better = sum(a > b for a, b in harms), sum(a < b for a, b in harms)
        yield _Probed(name, worse, better, len(found))


def _suspect(
    probed: _Probed, chance: float, news: Sequence[News], every: Iterable[SilverLabel]
) -> Suspect:
    candidate = probed.candidate
    looked_at = [news[i].label for i in candidate.labels]
    labels = {one.text: one for one in (*looked_at, *_taught(candidate, news, every))}
    return Suspect(
        kind="phrase" if isinstance(candidate, Phrase) else "name",
        surface=candidate.surface,
        texts=probed.texts,
        turned=probed.turned,
        reference=probed.reference,
        rise=probed.rise,
        chance=chance,
        labels=tuple(labels.values()),
    )


def _taught(
    candidate: Phrase | Name, news: Sequence[News], every: Iterable[SilverLabel]
) -> Iterator[SilverLabel]:
    """Find the labels that taught it among those that were not looked at, too."""
    if isinstance(candidate, Name):
        return (label for label in every if denies(label, candidate))
    words = core(candidate, news)
    return (label for label in every if has_phrase(label.text, words))
