"""What goes wrong in answers, beside gold: named, counted, with examples.

Of entities: `type`, the right place under another label; `boundary`, the right label at another,
overlapping place; `missed` and `spurious`, what has no counterpart. Of categories: `confused`, one
chosen in the place of another; `missed` and `spurious` where it is not one against one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from schemas.files.kind import Kind
from schemas.types import Fact

Wrong = Literal["spurious", "missed", "type", "boundary", "confused"]


@dataclass(frozen=True, slots=True)
class Slip:
    """One thing wrong in the answer about a text.

    `gold` is None where nothing was to be said there, `said` where nothing was said.
    """

    wrong: Wrong
    text: str
    gold: Fact | None
    said: Fact | None

    @property
    def labels(self) -> tuple[str, str]:
        """The labels of gold and of the answer; "" for none."""
        return (self.gold[2] if self.gold else "", self.said[2] if self.said else "")

    def as_dict(self) -> dict[str, Any]:
        """Give it for JSON, spans in words."""
        return {
            "text": self.text,
            "expected": _told(self.text, self.gold),
            "answered": _told(self.text, self.said),
        }


def slips_of(
    text: str, gold: frozenset[Fact], said: frozenset[Fact], *, kind: Kind
) -> tuple[Slip, ...]:
    """Name what is wrong in one answer, each fact in one slip at most."""
    missed, spurious = sorted(gold - said), sorted(said - gold)
    if kind == "categories":
        return tuple(_of_categories(text, missed, spurious))
    return tuple(_of_entities(text, missed, spurious))


def counted(slips: Iterable[Slip]) -> Counter[tuple[Wrong, str, str]]:
    """Count slips by what is wrong and the labels of gold and answer."""
    return Counter((slip.wrong, *slip.labels) for slip in slips)


def _of_entities(text: str, missed: list[Fact], spurious: list[Fact]) -> Iterator[Slip]:
    for wrong, pairs in _ORDER:
        for gold in list(missed):
            said = next((x for x in spurious if pairs(gold, x)), None)
            if said is not None:
                missed.remove(gold)
                spurious.remove(said)
                yield Slip(wrong, text, gold, said)
    yield from _alone(text, missed, spurious)


def _of_categories(text: str, missed: list[Fact], spurious: list[Fact]) -> Iterator[Slip]:
    if len(missed) == len(spurious) == 1:
        yield Slip("confused", text, missed[0], spurious[0])
    else:
        yield from _alone(text, missed, spurious)


def _alone(text: str, missed: Sequence[Fact], spurious: Sequence[Fact]) -> Iterator[Slip]:
    yield from (Slip("missed", text, fact, None) for fact in missed)
    yield from (Slip("spurious", text, None, fact) for fact in spurious)


def _same_place(a: Fact, b: Fact) -> bool:
    return a[:2] == b[:2]


def _overlap(a: Fact, b: Fact) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def _same_label(a: Fact, b: Fact) -> bool:
    return _overlap(a, b) and a[2] == b[2]


# The nearest kinship first; at another place and under another label it is the label that is wrong.
_ORDER: tuple[tuple[Wrong, Any], ...] = (
    ("type", _same_place),
    ("boundary", _same_label),
    ("type", _overlap),
)


def _told(text: str, fact: Fact | None) -> dict[str, str] | None:
    if fact is None:
        return None
    start, end, label = fact
    return {"label": label, **({"text": text[start:end]} if end else {})}
