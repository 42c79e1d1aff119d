"""Where a surface occurs in a text: exactly, or as people would see it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

Span = tuple[int, int]

_MAX_MENTIONS = 1000
"""No honest answer counts further; bounds the work that a hostile one can cause."""

_LOOKALIKES = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201b\u02bc\u0060\u00b4", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
    }
)


def mentions(text: str, surface: str) -> list[Span]:
    """Spans of `text` that read exactly `surface`: whole words first, then the others.

    Each kind from left to right, overlapping ones included, 1,000 in all at most. An
    answer counts them in this order, so that "Al" in "Also Al" is its first mention.
    """
    found = list(islice(_find_all(text, surface), _MAX_MENTIONS))
    return sorted(found, key=lambda span: not _is_whole(text, span))


def loose_mentions(text: str, surface: str) -> list[Span]:
    """Spans of `text` that differ from `surface` in form alone, in the order of `mentions`.

    Form is letter case, Unicode composition, the kind of white space, quotation mark or
    dash, and characters without width.
    """
    folded, origin = _fold_text(text)
    wanted, _ = _fold(surface)
    found = (
        (origin[start], origin[end - 1] + 1)
        for start, end in islice(_find_all(folded, wanted), _MAX_MENTIONS)
        if _is_aligned(origin, start, end)
    )
    return sorted(found, key=lambda span: not _is_whole(text, span))


def whole_mentions(text: str, spans: list[Span]) -> list[Span]:
    """Those of the spans that neither begin nor end inside a word."""
    return [span for span in spans if _is_whole(text, span)]


def _find_all(text: str, surface: str) -> Iterator[Span]:
    start = text.find(surface) if surface else -1
    while start >= 0:
        yield start, start + len(surface)
        start = text.find(surface, start + 1)


def _is_whole(text: str, span: Span) -> bool:
    return not (_inside_word(text, span[0]) or _inside_word(text, span[1]))


def _inside_word(text: str, place: int) -> bool:
    return 0 < place < len(text) and _is_letter(text[place - 1]) and _is_letter(text[place])


def _is_letter(char: str) -> bool:
    # A combining mark belongs to its letter: "Jose" is no whole word of a decomposed "José".
    return char.isalnum() or unicodedata.category(char).startswith("M")


def _fold(text: str) -> tuple[str, list[int]]:
    """Fold away form; with each folded character comes the place of its origin."""
    folded: list[str] = []
    origin: list[int] = []
    for place, char in enumerate(text):
        for part in _fold_char(char):
            if part == " " and folded and folded[-1] == " ":
                continue
            folded.append(part)
            origin.append(place)
    return "".join(folded), origin


# An answer has many surfaces but one text.
_fold_text = lru_cache(maxsize=1)(_fold)


def _fold_char(char: str) -> str:
    if char.isspace():
        return " "
    if unicodedata.category(char) == "Cf":
        return ""
    return unicodedata.normalize("NFKD", char.translate(_LOOKALIKES)).casefold()


def _is_aligned(origin: list[int], start: int, end: int) -> bool:
    """Whether the folded range holds its first and last original characters whole."""
    begins = start == 0 or origin[start] != origin[start - 1]
    ends = end == len(origin) or origin[end] != origin[end - 1]
    return begins and ends
