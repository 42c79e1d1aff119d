"""The search: which phrases and names turn the challenger's tags, and not the champion's.

The work is bounded: `_SCREENED` candidates on few texts by the challenger alone, and `_TRIED` of
them on the others by both students; some ten thousand short taggings. A phrase is tried for the one
effect that its labels have: a text counts against the challenger where the phrase has it in more
places than other texts' words have there, and in more than it has for the champion. The tests
are exact (sign tests, McNemar), both must hold, and they are corrected for all that is tried
(Bonferroni).
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
_SCREENED, _TRIED = 48, 8
_TEXTS, _OF_THEM_BARE = 400, 50
"""Probes are so many texts, and so many of these have no entity."""
_SCREENING = 32
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
    """Try those whose labels are least by chance, and those that turn most of a few texts."""
    few = range(0, len(clean), max(len(clean) // _SCREENING, 1))
    others = [one for i, one in enumerate(clean) if i not in few]
    first, rest = phrases[: _TRIED // 2], phrases[_TRIED // 2 :]
    screen = _Bench([clean[i] for i in few], students.challenger, words, n_places=1)
    hits = {one.surface: sum(screen.excess(one)) for one in rest}
    turning = sorted(rest, key=lambda one: -hits[one.surface])[: _TRIED // 2]
    bench = _Bench(others, students.challenger, words)
    tried = [*first, *(one for one in turning if hits[one.surface] > 0)]
    return [_phrase_probed(phrase, bench, students.champion) for phrase in tried]


@dataclass(frozen=True, slots=True)
class _Bench:
    """Texts, the student whose tags are looked at, and the words that are put in to compare."""

    clean: Sequence[Clean]
    tag: Tag
    words: Sequence[str]
    n_places: int = 3

    def shown(self, phrase: Phrase, *, control: bool = False) -> list[float | None]:
        """Give in what share of each text's places the phrase has its effect; None: it cannot."""
        puts = [
            put(one.text, place, self._word(i + k) if control else phrase.surface)
            for i, one in enumerate(self.clean)
            for k, place in enumerate(self._places(i))
        ]
        told = iter(zip(puts, self.tag([one.text for one in puts]), strict=True))
        shares: list[float | None] = []
        for i, one in enumerate(self.clean):
            shows = [phrase.effect in turned(one.challenger, *next(told)) for _ in self._places(i)]
            able = can_show(phrase.effect, one.challenger)
            shares.append(sum(shows) / len(shows) if able else None)
        return shares

    def excess(self, phrase: Phrase) -> list[float]:
        """Give by how much more of each text's places than other words it turns."""
        return _excess(self.shown(phrase), self.shown(phrase, control=True))

    def _places(self, number: int) -> tuple[int, ...]:
        places = self.clean[number].places
        return places if self.n_places > 1 else (places[number % len(places)],)

    def _word(self, number: int) -> str:
        return self.words[number * _PRIME % len(self.words)] if self.words else "so"


def _excess(these: Sequence[float | None], others: Sequence[float | None]) -> list[float]:
    """Give the differences where the first can be shown; what the other cannot show is none."""
    return [a - (b or 0.0) for a, b in zip(these, others, strict=True) if a is not None]


def _phrase_probed(phrase: Phrase, bench: _Bench, champion: Tag | None) -> _Probed:
    """Compare with other words, and with the champion; the lesser counts."""
    mine = bench.shown(phrase)
    references = [bench.shown(phrase, control=True)]
    if champion is not None:
        told = [replace(one, challenger=one.champion or frozenset()) for one in bench.clean]
        references.append(replace(bench, clean=told, tag=champion).shown(phrase))
    compared = [_compared(phrase, _excess(mine, other)) for other in references]
    return max(compared, key=lambda one: (one.chance, -one.rise))


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
