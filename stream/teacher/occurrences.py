"""Which places of a text an answer means by the mentions that it lists.

Models count badly. What can mean one thing only is understood: numbers from zero, numbers in
strings, the same mention listed again and again for one place after the other. What
contradicts itself raises `InvalidAnswerError`: a mention left out would teach that it is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from schemas.errors import InvalidAnswerError
from schemas.types import Entity
from stream.teacher.mentions import Span, loose_mentions, mentions, whole_mentions

_UNUSABLE = -1
_MAX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Listed:
    """A mention as an answer lists it: `number` from 1, None if missing, -1 if no number."""

    surface: str
    label: str
    number: int | None


@dataclass(frozen=True, slots=True)
class _Places:
    """Where a surface stands, in the order in which it is counted."""

    spans: list[Span]
    likely: list[Span]
    """Whole words, if there are any."""
    is_exact: bool


@dataclass(slots=True)
class _Group:
    """What is listed with one surface and one label."""

    surface: str
    label: str
    places: _Places
    numbers: list[int | None] = field(default_factory=list)


def read_number(value: Any) -> int | None:
    """Read an `occurrence` as a model may write it: None when it is missing, -1 for no number."""
    if isinstance(value, str):
        value = _digits(value.strip())
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    # `True` is an `int` in Python, but not a number that a model meant.
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return max(value, _UNUSABLE) if is_number else _UNUSABLE


def place(text: str, listed: Sequence[Listed]) -> list[Entity]:
    """Find each listed mention in `text`; one entity each, in no order.

    Mentions that are equal in all are as many successive places, those left out that lie
    in a longer mention. Raises `InvalidAnswerError` for what does not stand in the text, not so
    often, or cannot be told apart.
    """
    groups = _grouped(text, listed)
    covered = bytearray(len(text))
    entities: list[Entity] = []
    for _, alike in groupby(groups, key=lambda group: len(group.surface)):
        placed = [x for group in alike for x in _entities(text, group, covered)]
        for entity in placed:
            covered[entity.start : entity.end] = b"\1" * (entity.end - entity.start)
        entities += placed
    return entities


def _digits(written: str) -> int | None:
    if not written:
        return None
    usable = written.isascii() and written.isdigit() and len(written) <= _MAX_DIGITS
    return int(written) if usable else _UNUSABLE


def _grouped(text: str, listed: Sequence[Listed]) -> list[_Group]:
    """Group by surface and label, the longest surfaces first."""
    places = {surface: _places(text, surface) for surface in {x.surface for x in listed}}
    groups: dict[tuple[str, str], _Group] = {}
    for x in _counted_from_one(listed, places):
        key = x.surface, x.label
        group = groups.setdefault(key, _Group(*key, places[x.surface]))
        group.numbers.append(x.number)
    return sorted(groups.values(), key=lambda group: -len(group.surface))


def _places(text: str, surface: str) -> _Places:
    exact = mentions(text, surface)
    spans = exact or loose_mentions(text, surface)
    return _Places(spans, whole_mentions(text, spans) or spans, bool(exact))


def _counted_from_one(listed: Sequence[Listed], places: dict[str, _Places]) -> Iterable[Listed]:
    """Shift the numbers of an answer that counts from zero."""
    if not any(x.number == 0 for x in listed):
        return listed
    numbers: dict[str, set[int]] = {surface: set() for surface in places}
    for x in listed:
        if x.number is not None and x.number >= 0:
            numbers[x.surface].add(x.number)
    shifted = {x for x, known in numbers.items() if _is_from_zero(known, places[x])}
    return [
        replace(x, number=x.number + 1)
        if x.surface in shifted and x.number is not None and x.number >= 0
        else x
        for x in listed
    ]


def _is_from_zero(numbers: set[int], places: _Places) -> bool:
    """Whether these numbers of one surface are, in an answer with a zero somewhere."""
    matters = bool(numbers) and len(places.spans) > 1
    if 0 in numbers or not matters:
        return 0 in numbers
    if len(places.likely) not in numbers:
        raise InvalidAnswerError("an entity's occurrence may be counted from 0 or from 1")
    return False


def _entities(text: str, group: _Group, covered: bytearray) -> list[Entity]:
    spans = _alone(group) if len(group.numbers) == 1 else _several(group, covered)
    return [Entity(a, b, group.label, text[a:b]) for a, b in spans]


def _alone(group: _Group) -> list[Span]:
    """Take the numbered place, or the one there is: whole words outweigh parts of words."""
    number, places = group.numbers[0], group.places
    if places.is_exact and number is not None and 1 <= number <= len(places.spans):
        return [places.spans[number - 1]]
    if len(places.likely) == 1:
        return places.likely
    raise _astray(places)


def _several(group: _Group, covered: bytearray) -> list[Span]:
    numbers, places = group.numbers, group.places
    if not places.is_exact and len(places.likely) != len(numbers):
        raise _astray(places)
    spans = places.spans if places.is_exact else places.likely
    if len(set(numbers)) == 1:
        return _successive(spans, places.likely, numbers, covered)
    if len(set(numbers)) < len(numbers):
        raise InvalidAnswerError("some of an entity's occurrences are the same, others not")
    counted = [x for x in numbers if x is not None and 1 <= x <= len(spans)]
    if len(counted) < len(numbers):
        raise _astray(places)
    return [spans[x - 1] for x in counted]


def _successive(
    spans: list[Span], likely: list[Span], numbers: list[int | None], covered: bytearray
) -> list[Span]:
    """As many places as there are numbers, from the numbered one on, or from the first.

    Whole words come first. Parts of words are meant, and mentions within longer ones, only where
    nothing less makes up the number.
    """
    first, n = numbers[0], len(numbers)
    first = 1 if first is None else first
    if not 1 <= first <= len(likely):
        raise InvalidAnswerError("an entity's occurrence is not among its mentions")
    rest = likely[first - 1 :]
    free = _free(rest, covered)
    if n <= len(free):
        return free[:n]
    wider = [rest] if first > 1 else [rest, _free(spans, covered), spans]
    for every in wider:
        if n == len(every):
            return every
    raise InvalidAnswerError("an entity is listed more often than it stands in the text")


def _free(spans: list[Span], covered: bytearray) -> list[Span]:
    return [(a, b) for a, b in spans if not (covered[a] and covered[b - 1])]


def _astray(places: _Places) -> InvalidAnswerError:
    return InvalidAnswerError(
        "an entity's occurrence is not among its mentions"
        if places.is_exact
        else "an entity does not stand in the text, or not in one place only"
    )
