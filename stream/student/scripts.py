"""Scripts and signs that end a word where no space does.

Source: Unicode 15, its blocks and general categories; for ASCII, BERT's notion of punctuation.
"""

from __future__ import annotations

ZERO_WIDTH_SPACES = frozenset("\u200b\u2060\ufeff")
"""White space to a reader (Thai and Khmer part words with the first), though not to `isspace`."""

IDEOGRAPHS_BEYOND = slice(0x20000, 0x323B0)
"""The ideographs of the supplementary planes, all in one run."""

_UNSPACED = (
    (0x0E00, 0x0FFF),  # Thai, Lao, Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19DF),  # Tai Le, New Tai Lue
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x3005, 0x3007),  # ideographic iteration mark, closing mark, zero
    (0x3040, 0x312F),  # Hiragana, Katakana, Bopomofo
    (0x31F0, 0x31FF),  # Katakana's small letters
    (0x3400, 0x4DBF),  # ideographs, extension A
    (0x4E00, 0x9FFF),  # ideographs
    (0xA000, 0xA4CF),  # Yi
    (0xA980, 0xA9FF),  # Javanese, Myanmar extended
    (0xAA60, 0xAA7F),  # Myanmar extended
    (0xF900, 0xFAFF),  # compatibility ideographs
    (0xFF66, 0xFF9F),  # halfwidth Katakana
)
_EMOJI = ((0x2600, 0x27BF), (0x1F000, 0x1FAFF))


def is_unspaced(char: str) -> bool:
    """Whether the character is of a script that puts no spaces between words."""
    return _within(char, _UNSPACED)


def is_emoji(char: str) -> bool:
    """Whether the character is a pictograph."""
    return _within(char, _EMOJI)


def is_punctuation(char: str, category: str) -> bool:
    """As BERT has it: Unicode's categories P, and in ASCII all that is printed and no letter."""
    return category[0] == "P" or (category[0] == "S" and char.isascii())


def _within(char: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= ord(char) <= last for first, last in ranges)
