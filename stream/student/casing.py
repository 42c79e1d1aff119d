"""Kinds of characters, and the casing channel: a class per piece of what lower-casing loses.

The class travels as `token_type_ids` (six rows of the type embedding, no cost
at inference). One table look-up per character and one running sum per batch
replace any per-word Python.
"""

from __future__ import annotations

import functools
import unicodedata
from typing import Any

import numpy as np
import numpy.typing as npt

from stream.student.scripts import (
    IDEOGRAPHS_BEYOND,
    ZERO_WIDTH_SPACES,
    is_emoji,
    is_punctuation,
    is_unspaced,
)

OTHER, LOWER, UPPER, TITLE, MIXED, DIGIT = range(6)
"""Classes of a word piece; special tokens, padding and caseless pieces are `OTHER`."""
N_CLASSES = 6

# Kinds of a character, and what each adds to a running sum of three 21-bit counts.
_PLAIN, _LOWER, _UPPER, _DIGIT, MARK, SPACE, ALONE = range(7)
_COUNTS = np.array([0, 1 << 21, 1 << 42, 1, 0, 0, 0], dtype=np.int64)
_FIELD = (1 << 21) - 1

# Unicode's last case pair and decimal digit lie under this bound; above it, only the
# ideographs and the supplementary variation selectors matter (variants in Japanese names).
_TABLE_END = 0x20000
_VARIATION_SELECTORS = slice(0xE0100, 0xE01F0)


def code_points(text: str) -> npt.NDArray[Any]:
    """Code points of the text, one unsigned integer each; plain ASCII stays one byte each."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def char_kinds(codes: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Kind of each code point: plain, lower, upper (title too), digit, mark, space or alone.

    What stands alone belongs to no longer word: punctuation, emoji, and the letters of scripts that
    put no spaces between words.
    """
    return np.take(_kinds(), codes)


def piece_classes(
    kinds: npt.NDArray[np.uint8], starts: npt.NDArray[np.int32], ends: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64]:
    """Casing class of each piece `kinds[starts[i]:ends[i]]`; shapes [chars], [n], [n] -> [n].

    Title: its first character, and no other, is upper. A piece with a digit is `DIGIT`.
    """
    running = np.zeros(len(kinds) + 1, dtype=np.int64)
    np.cumsum(_COUNTS[kinds], out=running[1:])
    counts = running[ends] - running[starts]
    n_upper, n_lower = counts >> 42, (counts >> 21) & _FIELD
    is_title = (n_upper == 1) & (kinds[starts] == _UPPER)
    classes = np.where(n_lower == 0, UPPER, np.where(is_title, TITLE, MIXED))
    classes[n_upper == 0] = LOWER
    classes[counts < _DIGIT_FREE] = OTHER
    classes[(counts & _FIELD) > 0] = DIGIT
    return classes


def after_marks(kinds: npt.NDArray[np.uint8], ends: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Each end moved past the non-spacing marks that follow it; the last kind is no mark.

    Normalizers that strip accents leave a trailing mark out of the last piece's
    offsets; without this a surface would lose the accent of its last letter.
    """
    is_mark = kinds == MARK
    if not is_mark.any():
        return ends
    others = np.flatnonzero(~is_mark).astype(np.int32)
    return others[np.searchsorted(others, ends)]


_DIGIT_FREE = 1 << 21
"""Sums under this count no cased letter."""


@functools.cache
def _kinds() -> npt.NDArray[np.uint8]:
    table = np.zeros(0x110000, dtype=np.uint8)
    table[:_TABLE_END] = [_kind(chr(code)) for code in range(_TABLE_END)]
    table[_VARIATION_SELECTORS] = MARK
    table[IDEOGRAPHS_BEYOND] = ALONE
    return table


def _kind(char: str) -> int:
    if char.isupper() or char.istitle():
        return _UPPER
    if char.islower():
        return _LOWER
    if char.isdigit():
        return _DIGIT
    if char.isspace() or char in ZERO_WIDTH_SPACES:
        return SPACE
    return _kind_by_category(char, unicodedata.category(char))


def _kind_by_category(char: str, category: str) -> int:
    if category == "Mn" or (category == "Mc" and is_unspaced(char)):
        return MARK
    if is_punctuation(char, category) or is_emoji(char):
        return ALONE
    return ALONE if category[0] == "L" and is_unspaced(char) else _PLAIN
