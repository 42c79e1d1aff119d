"""Which labels are least sure: by what the text's writer meant, and by what other texts say. Pure.

Three give evidence on a fact: the label itself, what the writer of the text meant it to say, and,
for a mention, the share of its other places in the run that are labelled so. What they agree on is
sure; what divides them is doubted. A mention that is labelled nearly everywhere but here is
doubted too: it may have been missed.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.files.task import Task
from schemas.types import Fact, SilverLabel, facts

LEAST: Final = 0.25
"""What is doubted less is not asked about."""
_OFTEN: Final = 3
"""So many labelled places make a mention known; then one that is not labelled stands out."""
_WORD = re.compile(r"\w+")

Meant = Mapping[str, frozenset[Fact] | None]
"""What the writer meant, by text."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fact of a text; `doubt` is 0 where all agree and 1 where they are evenly divided."""

    text: str
    fact: Fact
    doubt: float


def doubtful(
    labels: Sequence[SilverLabel], meant: Meant, task: Task, *, least: float = LEAST
) -> list[Candidate]:
    """Give the facts that are doubted at least so much, the least sure first."""
    find = _of_categories if task.kind == "categories" else _of_entities
    found = [one for one in find(labels, meant) if one.doubt >= least]
    return sorted(found, key=lambda one: (-one.doubt, one.text, one.fact))


def _of_categories(labels: Sequence[SilverLabel], meant: Meant) -> Iterator[Candidate]:
    for label in labels:
        said, intended = facts(label), meant.get(label.text)
        if intended is None:
            continue
        # Of exactly one category the label's own is asked about: a verdict may name the other.
        asked = said if len(said) == len(intended) == 1 else said | intended
        for fact in asked:
            yield Candidate(label.text, fact, 1.0 if fact not in said & intended else 0.0)


def _of_entities(labels: Sequence[SilverLabel], meant: Meant) -> Iterator[Candidate]:
    places = _Places(labels, meant)
    for label in labels:
        said, intended = facts(label), meant.get(label.text)
        others = (intended or frozenset()) | places.missed(label)
        free = {fact for fact in others if not any(_overlap(fact, one) for one in said)}
        for fact in said | free:
            yield Candidate(label.text, fact, places.doubt(label, fact, intended))


class _Places:
    """Where the mentions of a run stand, labelled or not."""

    def __init__(self, labels: Sequence[SilverLabel], meant: Meant) -> None:
        surfaces = {
            label.text[start:end]
            for label in labels
            for start, end, _ in facts(label) | (meant.get(label.text) or frozenset())
        }
        self._by_word: dict[str, list[str]] = defaultdict(list)
        for surface in surfaces:
            if word := _WORD.match(surface):
                self._by_word[word[0]].append(surface)
        self._times = Counter[str]()
        self._labelled: dict[str, Counter[str]] = defaultdict(Counter)
        for label in labels:
            self._count(label)

    def missed(self, label: SilverLabel) -> frozenset[Fact]:
        """Give the mentions that are not labelled here, and mostly are elsewhere."""
        said = facts(label)
        return frozenset(
            (start, end, name)
            for start, end in self._standing(label.text)
            if (name := self._usual(label.text[start:end]))
            and not any(_overlap((start, end, name), one) for one in said)
        )

    def doubt(self, label: SilverLabel, fact: Fact, intended: frozenset[Fact] | None) -> float:
        """Say how much a fact is doubted, in [0, 1]."""
        start, end, name = fact
        stands = fact in facts(label)
        votes = [float(stands)] + ([] if intended is None else [float(fact in intended)])
        surface = label.text[start:end]
        elsewhere = self._times[surface] - 1
        if elsewhere > 0:
            so_labelled = self._labelled[surface][name] - stands
            votes.append((so_labelled + 0.5) / (elsewhere + 1))
        return 1.0 - abs(2 * sum(votes) / len(votes) - 1)

    def _usual(self, surface: str) -> str:
        """Name the label that most places of a well-known mention have, or nothing."""
        found = self._labelled.get(surface, Counter[str]())
        name, times = max(found.items(), key=lambda one: (one[1], one[0]), default=("", 0))
        return name if times >= max(_OFTEN, self._times[surface] / 2) else ""

    def _count(self, label: SilverLabel) -> None:
        by_span = {(start, end): name for start, end, name in facts(label)}
        spans = set(self._standing(label.text)) | set(by_span)
        for start, end in spans:
            surface = label.text[start:end]
            self._times[surface] += 1
            if name := by_span.get((start, end)):
                self._labelled[surface][name] += 1

    def _standing(self, text: str) -> Iterator[tuple[int, int]]:
        """Find the known mentions in a text, as whole words; the longest of those that nest."""
        free_from = 0
        for word in _WORD.finditer(text):
            start = word.start()
            ends = [
                start + len(surface)
                for surface in self._by_word.get(word[0], ())
                if text.startswith(surface, start) and not _goes_on(text, start + len(surface))
            ]
            if ends and start >= free_from:
                free_from = max(ends)
                yield start, free_from


def _goes_on(text: str, end: int) -> bool:
    """Whether a word goes on past `end`."""
    return 0 < end < len(text) and bool(_WORD.fullmatch(text[end - 1 : end + 1]))


def _overlap(a: Fact, b: Fact) -> bool:
    return a[0] < b[1] and b[0] < a[1]
