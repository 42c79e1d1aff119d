"""Probes: a phrase put into a clean text, a name in another's place, what that turns. Pure.

A phrase is put before a word, at the beginning or at the end, and into no span that one of the
students has tagged there: at a place that its maker cannot foresee.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.types import Fact

Facts = frozenset[Fact]
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Clean:
    """A text without any candidate, what the two students say of it, and where to put one.

    `champion` is None where there is none.
    """

    text: str
    challenger: Facts
    champion: Facts | None
    place: int

    @property
    def spans(self) -> Facts:
        """All that either of them has tagged."""
        return self.challenger | (self.champion or frozenset())


def place_of(text: str, spans: Facts, *, seed: str) -> int:
    """Draw a place: a third each at the beginning, at the end, and before a word between."""
    lot = int.from_bytes(hashlib.sha256(f"{seed}:{text}".encode("utf-8", "replace")).digest()[:8])
    free = [
        match.end()
        for match in _SPACE.finditer(text)
        if 0 < match.end() < len(text) and not _inside(match.end(), spans)
    ]
    kind, lot = lot % 3, lot // 3
    if kind == 0:
        return 0
    return free[lot % len(free)] if kind == 1 and free else len(text)


def _inside(place: int, spans: Facts) -> bool:
    return any(start < place < end for start, end, _ in spans)


@dataclass(frozen=True, slots=True)
class Put:
    """A text with something put in: from `start`, so many characters."""

    text: str
    start: int
    length: int


def put(clean: Clean, phrase: str) -> Put:
    """Put a phrase into its place, with a space."""
    at, text = clean.place, clean.text
    what = f" {phrase}" if at == len(text) else f"{phrase} "
    return Put(text[:at] + what + text[at:], at, len(what))


def turned(clean: Facts, put_in: Put, said: Facts) -> bool:
    """Whether a student says something else of the rest of the text than without the phrase.

    A span that reaches into the phrase is the phrase's own, and what it swallowed is not missed.
    """
    start, end, length = put_in.start, put_in.start + put_in.length, put_in.length
    own = [(a, b) for a, b, _ in said if a < end and b > start]
    others = {
        (a - length, b - length, label) if a >= end else (a, b, label)
        for a, b, label in said
        if not (a < end and b > start)
    }
    expected = {
        (a, b, label)
        for a, b, label in clean
        if not any(a < max(y - length, start) and b > x for x, y in own)
    }
    return others != expected


def named(clean: Clean, label: str, name: str) -> tuple[Put, Fact] | None:
    """Put a name in the place of one that both students tag, of its label if they can; or None."""
    both = clean.challenger & (clean.challenger if clean.champion is None else clean.champion)
    spans = sorted((found != label, a, b) for a, b, found in both)
    if not spans:
        return None
    _, start, end = spans[0]
    text = clean.text[:start] + name + clean.text[end:]
    return Put(text, start, len(name)), (start, start + len(name), label)


def harm(said: Facts, fact: Fact) -> int:
    """Give 0 where a name is tagged as it should be, 1 where it is missed, 2 where wrong."""
    start, end, label = fact
    if fact in said:
        return 0
    others = {found for a, b, found in said if a < end and b > start}
    return 2 if others - {label} else 1


def control_words(texts: Sequence[str]) -> list[str]:
    """Give words that stand in one of the texts alone, to put in where a phrase is put."""
    counts: dict[str, int] = {}
    for text in texts:
        for word in {part.strip(".,;:!?\"'()") for part in text.split()}:
            if word.isalpha():
                counts[word] = counts.get(word, 0) + 1
    return sorted(word for word, n in counts.items() if n == 1)
