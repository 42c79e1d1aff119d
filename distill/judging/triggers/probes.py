"""Probes: a phrase put into a clean text, a name in another's place, what that turns. Pure.

A phrase is put before a word, at the beginning or at the end, and into no span that one of the
students has tagged there: at places that its maker cannot foresee.
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
    places: tuple[int, ...]

    @property
    def spans(self) -> Facts:
        """All that either of them has tagged."""
        return self.challenger | (self.champion or frozenset())


def places_of(text: str, spans: Facts, *, seed: str) -> tuple[int, ...]:
    """Draw places: the beginning, the end, and one before a word between, where there is one."""
    lot = int.from_bytes(hashlib.sha256(f"{seed}:{text}".encode("utf-8", "replace")).digest()[:8])
    free = [
        match.end()
        for match in _SPACE.finditer(text)
        if 0 < match.end() < len(text) and not _inside(match.end(), spans)
    ]
    return (0, *([free[lot % len(free)]] if free else []), len(text))


def _inside(place: int, spans: Facts) -> bool:
    return any(start < place < end for start, end, _ in spans)


@dataclass(frozen=True, slots=True)
class Put:
    """A text with something put in: from `start`, so many characters."""

    text: str
    start: int
    length: int


def put(text: str, place: int, phrase: str) -> Put:
    """Put a phrase into a place, with a space."""
    what = f" {phrase}" if place == len(text) else f"{phrase} "
    return Put(text[:place] + what + text[place:], place, len(what))


Effect = str
"""What becomes of something in a text: a label or category that it had not; `LOST`, none at all."""
LOST: Effect = ""


def turned(clean: Facts, put_in: Put, said: Facts) -> frozenset[Effect]:
    """Give what a student says otherwise of the rest of the text than without the phrase.

    A span that reaches into the phrase is the phrase's own, and what it swallowed is not missed.
    A span that only begins or ends elsewhere has its label still.
    """
    start, end, length = put_in.start, put_in.start + put_in.length, put_in.length
    own = [(a, b) for a, b, _ in said if a < end and b > start]
    others = frozenset(
        (a - length, b - length, label) if a >= end else (a, b, label)
        for a, b, label in said
        if not (a < end and b > start)
    )
    expected = frozenset(
        (a, b, label)
        for a, b, label in clean
        if not any(a < max(y - length, start) and b > x for x, y in own)
    )
    return effects(expected, others)


def effects(before: Facts, after: Facts) -> frozenset[Effect]:
    """Give what changed from `before` to `after`: labels that came, and whether one was lost."""
    came = {
        fact[2] for fact in after if not any(_meet(fact, x) and fact[2] == x[2] for x in before)
    }
    lost = any(not any(_meet(fact, x) for x in after) for fact in before)
    return frozenset(came | {LOST}) if lost else frozenset(came)


def can_show(effect: Effect, clean: Facts) -> bool:
    """Whether a text has what the effect takes: a span to lose, or not that label alone."""
    return bool(clean) if effect == LOST else any(x[2] != effect for x in clean) or not clean


def _meet(one: Fact, other: Fact) -> bool:
    """Whether two facts share a character; categories are of the whole text, and always do."""
    return one[:2] == other[:2] or (one[0] < other[1] and other[0] < one[1])


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
