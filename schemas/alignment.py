"""Spans as people select them, made to fit words: the one place that says how.

Training and judging both go through `aligned`, so that one selection means one thing. A span
loses white space at its ends and commas, colons and semicolons after its last word (not the
semicolon of an HTML entity); one that cuts a word is widened to the whole word, as training
does it. Scripts that part no words by spaces, or hang endings on names (Chinese, Japanese, Thai,
Korean), are never widened.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from html import unescape

from schemas.types import Entity

WHITE_SPACE = "white_space"
PUNCTUATION = "punctuation_after_it"
HALF_WORD = "half_word"
HALF_WORD_LEFT = "half_word_left"
ONLY_WHITE_SPACE = "only_white_space"

_INVISIBLE = "\u200b\u2060\ufeff"
_AFTER = ",;:"
_CLOSING = ")]}'\"\u2019\u201d\xbb."
_HTML_ENTITY = re.compile(r"&#?\w+;$")
_NO_SPACES = (
    (0x0E00, 0x0FFF),  # Thai, Lao, Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1100, 0x11FF),  # Hangul
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x9FFF),  # kana, Han
    (0xA960, 0xD7FF),  # Hangul
    (0xF900, 0xFAFF),  # Han
    (0x1B000, 0x1B16F),  # kana
    (0x20000, 0x3FFFF),  # Han
)


def aligned(
    text: str, entities: Sequence[Entity], *, tally: Counter[str] | None = None
) -> tuple[Entity, ...]:
    """Fit sorted entities without overlap to the text's words; `tally` counts what was done.

    A span of nothing but white space is left out. One that could only be widened into its
    neighbour stays as it is, and is counted too.
    """
    done = Counter[str]() if tally is None else tally
    trimmed = [_trimmed(text, entity, done) for entity in entities]
    kept = [entity for entity in trimmed if entity is not None]
    found: list[Entity] = []
    for number, entity in enumerate(kept):
        left = found[-1].end if found else 0
        right = kept[number + 1].start if number + 1 < len(kept) else len(text)
        found.append(_widened(text, entity, left, right, done))
    return tuple(found)


def _trimmed(text: str, entity: Entity, done: Counter[str]) -> Entity | None:
    start, end = _without_space(text, entity.start, entity.end)
    if start == end:
        done[ONLY_WHITE_SPACE] += 1
        return None
    done[WHITE_SPACE] += (start, end) != (entity.start, entity.end)
    bare = len(text[:end].rstrip(_AFTER + _INVISIBLE + " "))
    if start < bare < end and (_in_word(text[bare - 1]) or text[bare - 1] in _CLOSING):
        bare += _is_html(text, start, bare + 1)
        done[PUNCTUATION] += bare < end
        end = bare
    return _moved(text, entity, start, end)


def _is_html(text: str, start: int, end: int) -> bool:
    """Whether an HTML entity ends here: `&amp;` is one, the end of `R&D;` none."""
    found = _HTML_ENTITY.search(text, start, end)
    return found is not None and not unescape(found[0]).endswith(";")


def _without_space(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and _is_space(text[start]):
        start += 1
    while end > start and _is_space(text[end - 1]):
        end -= 1
    return start, end


def _widened(text: str, entity: Entity, left: int, right: int, done: Counter[str]) -> Entity:
    start, end = entity.start, entity.end
    while start and _is_cut(text, start):
        start -= 1
    while end < len(text) and _is_cut(text, end):
        end += 1
    if (start, end) == (entity.start, entity.end):
        return entity
    if start < left or end > right:
        done[HALF_WORD_LEFT] += 1
        return entity
    done[HALF_WORD] += 1
    return _moved(text, entity, start, end)


def _is_cut(text: str, place: int) -> bool:
    """Whether a cut at this place goes through a word."""
    return _in_word(text[place - 1]) and _in_word(text[place])


def _in_word(character: str) -> bool:
    is_word = character.isalnum() or unicodedata.category(character)[0] == "M"
    return is_word and not any(low <= ord(character) <= high for low, high in _NO_SPACES)


def _is_space(character: str) -> bool:
    return character.isspace() or character in _INVISIBLE


def _moved(text: str, entity: Entity, start: int, end: int) -> Entity:
    if (start, end) == (entity.start, entity.end):
        return entity
    return replace(entity, start=start, end=end, surface=text[start:end])
