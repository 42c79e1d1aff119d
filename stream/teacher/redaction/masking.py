"""Placeholders in the place of what is personal, and the way back to the original text. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from schemas.bio import validate_entities
from schemas.errors import InvalidAnswerError, RedactionError
from schemas.settings.redaction import REDACTION_KINDS, RedactionKind
from schemas.types import Entity, Fact
from stream.teacher.redaction.patterns import Found

Find = Callable[[str], Sequence[Found]]
"""Finds what is personal in a text, in any order; what is found may overlap."""

Span = tuple[int, int]

_PLACEHOLDER = re.compile(rf"\[?(?:{'|'.join(REDACTION_KINDS).upper()})_\d{{1,6}}\]?")
_PASSES = 4
"""So often a masked text is searched again, since what was one before may read differently now."""


@dataclass(frozen=True, slots=True)
class Masked:
    """A text with placeholders: what stood where in the original, and stands where now.

    Spans are half-open, in code points; one that touches a placeholder, or what it stands for, is
    widened to the whole of it.
    """

    original: str
    text: str
    pieces: tuple[tuple[Span, Span], ...] = ()

    def restored(self, entities: Iterable[Entity]) -> tuple[Entity, ...]:
        """Give entities of the masked text as those of the original.

        Raises `InvalidAnswerError` where two that shared a placeholder contradict each other.
        """
        back = [(now, before) for before, now in self.pieces]
        found = tuple(sorted({_moved(x, back, self.original) for x in entities}))
        try:
            validate_entities(self.original, found)
        except ValueError:
            raise InvalidAnswerError("two mentions share what was redacted") from None
        return found

    def masked(self, entities: Iterable[Entity]) -> tuple[Entity, ...]:
        """Give entities of the original on the masked text; of those of one piece the first."""
        kept: list[Entity] = []
        for entity in sorted({_moved(x, self.pieces, self.text) for x in entities}):
            if not kept or entity.start >= kept[-1].end:
                kept.append(entity)
        return tuple(kept)

    def masked_facts(self, facts: Iterable[Fact]) -> frozenset[Fact]:
        """Give facts about the original as those about the masked text."""
        return frozenset((*_moved_span(a, b, self.pieces), label) for a, b, label in facts)


def mask(text: str, find: Find) -> Masked:
    """Put placeholders such as `[EMAIL_1]` in the place of all that is found.

    The same words get the same placeholder. Raises `RedactionError` for a text that is never clean.
    """
    found = _found(text, find)
    for _ in range(_PASSES):
        masked = _with_placeholders(text, found)
        more = _found(masked.text, find)
        if not more:
            return masked
        back = [(now, before) for before, now in masked.pieces]
        found = _merged([*found, *((*_moved_span(a, b, back), kind) for a, b, kind in more)])
    raise RedactionError("something personal is left, however it is taken out")


def _found(text: str, find: Find) -> list[Found]:
    """Search the text as it looks: odd forms of characters made plain, invisible ones left out."""
    plain, at = _plain(text)
    found = [one for one in find(plain) if not _PLACEHOLDER.fullmatch(plain, one[0], one[1])]
    return _merged([(at[a], at[b - 1] + 1, kind) for a, b, kind in found if a < b])


def _plain(text: str) -> tuple[str, Sequence[int]]:
    if text.isascii():
        return text, range(len(text))
    kept = [(plain, i) for i, x in enumerate(text) if (plain := _plain_character(x))]
    return "".join(x for x, _ in kept), [i for _, i in kept]


@lru_cache(maxsize=4096)
def _plain_character(x: str) -> str:
    category = unicodedata.category(x)
    if category == "Cf":
        return ""
    if category == "Pd":
        return "-"
    if category == "Zs":
        return " "
    if (digit := unicodedata.decimal(x, None)) is not None:
        return str(digit)
    plain = unicodedata.normalize("NFKC", x)
    return plain if len(plain) == 1 else x


def _merged(found: Iterable[Found]) -> list[Found]:
    """Join what overlaps; of several kinds the first of `REDACTION_KINDS` names it."""
    joined: list[Found] = []
    for start, end, kind in sorted(found):
        if joined and start < joined[-1][1]:
            begun, until, before = joined[-1]
            joined[-1] = begun, max(until, end), min(before, kind, key=REDACTION_KINDS.index)
        else:
            joined.append((start, end, kind))
    return joined


def _with_placeholders(text: str, found: Sequence[Found]) -> Masked:
    names: dict[tuple[RedactionKind, str], str] = {}
    counts: dict[RedactionKind, int] = {}
    parts: list[str] = []
    pieces: list[tuple[Span, Span]] = []
    at = length = 0
    for start, end, kind in found:
        key = kind, text[start:end]
        if key not in names:
            counts[kind] = counts.get(kind, 0) + 1
            names[key] = f"[{kind.upper()}_{counts[kind]}]"
        begin = length + start - at
        parts += [text[at:start], names[key]]
        length = begin + len(names[key])
        pieces.append(((start, end), (begin, length)))
        at = end
    return Masked(text, "".join([*parts, text[at:]]), tuple(pieces))


def _moved(entity: Entity, pieces: Sequence[tuple[Span, Span]], text: str) -> Entity:
    start, end = _moved_span(entity.start, entity.end, pieces)
    return replace(entity, start=start, end=end, surface=text[start:end])


def _moved_span(start: int, end: int, pieces: Sequence[tuple[Span, Span]]) -> Span:
    """Carry a span over; `pieces` pair what is left with what is entered. 0, 0 stays itself."""
    shift_start = shift_end = 0
    begin = stop = -1
    for (a, b), (x, y) in pieces:
        if a <= start < b:
            begin = x
        if a < end <= b:
            stop = y
        if b <= start:
            shift_start = y - b
        if b <= end:
            shift_end = y - b
    return begin if begin >= 0 else start + shift_start, stop if stop >= 0 else end + shift_end
