"""The generated feed and the texts that judge the students.

Deterministic: the same seed gives the same texts, on every machine with the same faker.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.files.corpus import Example
from schemas.types import Entity
from stream.lab.demo.names import Names, Pool, early_names, late_names
from stream.lab.demo.templates import FEED_EARLY, FEED_LATE, FILLERS, GOLD_EARLY, GOLD_LATE

LABELS = {"person": "PERSON", "company": "COMPANY", "city": "CITY", "product": "PRODUCT"}

_SLOT = re.compile(r"\{(\w+)\}")


class Author(Protocol):
    """Who writes labelled texts."""

    def write(self, record_id: str, rng: random.Random) -> Example:
        """Write one text, with its gold."""
        ...


@dataclass(frozen=True, slots=True)
class Style:
    """Templates and the names that go into them."""

    templates: Sequence[str]
    names: Names

    def write(self, record_id: str, rng: random.Random) -> Example:
        """Write one text, with the exact spans of its entities."""
        text, entities = render(rng.choice(self.templates), lambda slot: self._fill(slot, rng))
        return Example(id=record_id, text=text, entities=entities, meta={}, llm_entities=None)

    def _fill(self, slot: str, rng: random.Random) -> str:
        if slot in LABELS:
            return self.names.draw(slot, rng)  # type: ignore[arg-type]  # LABELS holds the kinds
        return _filler(slot, rng)


def render(template: str, fill: Callable[[str], str]) -> tuple[str, tuple[Entity, ...]]:
    """Fill the slots from left to right; slots that name a kind become entities."""
    text, entities, position = "", [], 0
    for match in _SLOT.finditer(template):
        text += template[position : match.start()]
        name, slot = fill(match[1]), match[1]
        if slot in LABELS:
            entities.append(Entity(len(text), len(text) + len(name), LABELS[slot], name))
        text, position = text + name, match.end()
    return text + template[position:], tuple(entities)


def early_style(pool: Pool, *, seed: int) -> Style:
    """Make the style before the drift, for the feed or for the texts that judge."""
    templates = FEED_EARLY if pool == "feed" else GOLD_EARLY
    return Style(templates, early_names(pool, seed=seed))


def late_style(pool: Pool, *, seed: int) -> Style:
    """Make the style after the drift."""
    templates = FEED_LATE if pool == "feed" else GOLD_LATE
    return Style(templates, late_names(pool, seed=seed))


def texts(author: Author, n: int, *, prefix: str, seed: int) -> Iterator[Example]:
    """Write `n` texts, their ids numbered from 0 behind the prefix."""
    rng = random.Random(f"{prefix}-{seed}")  # noqa: S311  repeatable, no secret
    return (author.write(f"{prefix}-{i}", rng) for i in range(n))


def _filler(slot: str, rng: random.Random) -> str:
    if slot == "number":
        return str(rng.randrange(2, 900))
    if slot == "time":
        return f"{rng.randrange(24):02}:{rng.randrange(60):02}"
    return rng.choice(FILLERS[slot])
