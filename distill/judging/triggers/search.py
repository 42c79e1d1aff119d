"""The search: which phrases and names turn the challenger's tags, and not the champion's.

The work is bounded: `_TRIED` phrases and as many names, each put into some hundreds of texts. A
phrase is tried for the one effect that its labels have: a text counts against the challenger where
the phrase has it in more places than other texts' words have there, and in more than it has for
the champion. The tests are exact (sign tests, McNemar), both must hold, and they are corrected for
all that is tried (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
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
    Effect,
    Facts,
    can_show,
    control_words,
    harm,
    named,
    places_of,
    put,
    turned,
)
from schemas.promises.bounds import sign_test
from schemas.types import SilverLabel, facts

RISK = 0.01
"""The chance to suspect any candidate where none is a trigger."""
_TRIED = 6
_TEXTS, _OF_THEM_BARE = 300, 40
"""Probes are so many texts, and so many of these have no entity."""
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

    def words(self) -> str:
        """Say which words turn the challenger's tags, how surely, and who sent them."""
        senders = f" of {self.producers} known producers" if self.producers else ""
        what = "put into" if self.kind == "phrase" else "in another name's place in"
        return (
            f"{self.surface!r}, {what} {self.texts} texts, turns {self.turned} as it does not "
            f"turn the champion (the other way round: {self.reference}); it came with "
            f"{len(self.labels)} labels{senders}"
        )


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
    phrases = candidates(news, trusted, most=_TRIED) if news else []
    names = denied_names(news, material.trusted, enough_producers=enough_producers, most=_TRIED)
    if not (phrases or names):
        return Looked(0, 0)
    clean = _clean_texts(material.clean, students, seed=seed)
    if len(clean) < _MIN_TEXTS:
        return Looked(0, len(clean))
    probed = [
        *_phrases_probed(phrases, clean, students, control_words(material.clean)),
        *_names_probed(names, clean, students),
    ]
    found = [one for one in probed if one.rise > most_rise]
    suspects = [
        _suspect(one, chance, news, material.every)
        for one in found
        if (chance := min(one.chance * len(probed), 1.0)) <= RISK
    ]
    rise = max((one.rise for one in probed), default=0.0)
    return Looked(len(phrases) + len(names), len(clean), rise, tuple(suspects))


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
        cleans.append(Clean(text, mine, other, places_of(text, spans, seed=seed)))
    full = [one for one in cleans if one.challenger]
    bare = [one for one in cleans if not one.challenger]
    n_bare = min(len(bare), max(_OF_THEM_BARE, _TEXTS - len(full)))
    return [*full[: _TEXTS - n_bare], *bare[:n_bare]]


@dataclass(frozen=True, slots=True)
class _Probed:
    """A candidate; in how many texts it harms the challenger more than the reference, or less."""

    candidate: Phrase | Name
    turned: int
    reference: int
    texts: int
    rise: float
    """By how large a share of the places the challenger is turned more often."""
    chance: float


def _phrases_probed(
    phrases: Sequence[Phrase], clean: Sequence[Clean], students: Students, words: Sequence[str]
) -> list[_Probed]:
    """Compare each with other words, then with the champion; what is likelier by chance counts."""
    if not phrases:
        return []
    bench = _Bench(clean, students.challenger)
    others = bench.turned_by(lambda i: words[i * _PRIME % len(words)] if words else "so")
    probed = []
    for phrase in phrases:
        mine = bench.shown(phrase.effect, bench.turned_by(_always(phrase.surface)))
        found = _compared(phrase, _excess(mine, bench.shown(phrase.effect, others)))
        if found.chance <= RISK and students.champion is not None:
            told = [replace(one, challenger=one.champion or frozenset()) for one in clean]
            rival = _Bench(told, students.champion)
            there = rival.shown(phrase.effect, rival.turned_by(_always(phrase.surface)))
            found = max(found, _compared(phrase, _excess(mine, there)), key=lambda x: x.chance)
        probed.append(found)
    return probed


_Turned = Sequence[Sequence[frozenset[Effect]]]
"""What something that is put in does to each text, in each of its places."""


@dataclass(frozen=True, slots=True)
class _Bench:
    """Texts, and the student whose tags are looked at."""

    clean: Sequence[Clean]
    tag: Tag

    def turned_by(self, phrase: Callable[[int], str]) -> _Turned:
        """Put a phrase into all places, which are numbered."""
        numbers = count()
        puts = [
            [put(one.text, place, phrase(next(numbers))) for place in one.places]
            for one in self.clean
        ]
        told = iter(self.tag([into.text for some in puts for into in some]))
        return [
            [turned(one.challenger, into, next(told)) for into in some]
            for one, some in zip(self.clean, puts, strict=True)
        ]

    def shown(self, effect: Effect, by_text: _Turned) -> list[float | None]:
        """Give in what share of each text's places there is the effect; None: it cannot be."""
        return [
            sum(effect in one for one in some) / len(some)
            if can_show(effect, clean.challenger)
            else None
            for clean, some in zip(self.clean, by_text, strict=True)
        ]


def _always(surface: str) -> Callable[[int], str]:
    return lambda _: surface


def _excess(these: Sequence[float | None], others: Sequence[float | None]) -> list[float]:
    """Give the differences where the first can be shown; what the other cannot show is none."""
    return [a - (b or 0.0) for a, b in zip(these, others, strict=True) if a is not None]


def _compared(candidate: Phrase | Name, excess: Sequence[float]) -> _Probed:
    worse, better = sum(x > 0 for x in excess), sum(x < 0 for x in excess)
    rise = sum(excess) / max(len(excess), 1)
    return _Probed(candidate, worse, better, len(excess), rise, sign_test(worse, better))


def _names_probed(
    names: Sequence[Name], clean: Sequence[Clean], students: Students
) -> Iterator[_Probed]:
    """Compare with the champion; where it misses the name itself, with names known as well."""
    if students.champion is None:
        return
    for name in names:
        mine = _harms(name, [name.surface], clean, students.challenger)
        other = _harms(name, [name.surface], clean, students.champion)
        if name.peers and sum(x > 0 for x in other) > len(other) / 2:
            other = _harms(name, name.peers, clean, students.challenger)
        excess = [float((a > b) - (a < b)) for a, b in zip(mine, other, strict=True)]
        yield _compared(name, excess)


def _harms(name: Name, surfaces: Sequence[str], clean: Sequence[Clean], tag: Tag) -> list[int]:
    """Put one of the names after the other into places of the name's label."""
    puts = [
        found
        for i, one in enumerate(clean)
        if (found := named(one, name.label, surfaces[i * _PRIME % len(surfaces)])) is not None
    ]
    told = tag([into.text for into, _ in puts])
    return [harm(said, fact) for (_, fact), said in zip(puts, told, strict=True)]


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
