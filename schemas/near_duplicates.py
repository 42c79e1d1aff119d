"""Texts that were there before, or nearly: character shingles, MinHash, exact overlap at the end.

Sources: Broder (1997), "On the resemblance and containment of documents"; banding, Leskovec,
Rajaraman, Ullman, "Mining of Massive Datasets", chapter 3. Characters, not words, so that it
holds for languages that write no spaces.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from schemas.likeness import likeness

UInt64 = npt.NDArray[np.uint64]
Why = Literal["repeated", "near_duplicate"]

SIMILAR: Final = 0.65
"""Texts that share so many of their shingles (Jaccard) are one, where texts are to be various."""
ONE_TEXT: Final = 0.9
"""... and so many, where others' texts are not to be lost: a longer text with another number, name
of few letters or odd ending, and no template with other words in it."""
_SHINGLE = 5
_BANDS, _ROWS = 16, 4
_LOT = np.random.default_rng(20240211)  # any fixed numbers will do
_FACTORS: UInt64 = _LOT.integers(1, 2**63, _BANDS * _ROWS, dtype=np.uint64) * 2 + 1
_SUMMANDS: UInt64 = _LOT.integers(0, 2**63, _BANDS * _ROWS, dtype=np.uint64)
_HIGH = np.uint64(32)


@dataclass(frozen=True, slots=True)
class _Taken:
    alike: str
    shingles: UInt64
    keys: tuple[tuple[int, bytes], ...]


class NearDuplicates:
    """The texts taken so far; a candidate costs time that does not grow with their number.

    Of more than `most` the oldest are forgotten; a text takes some 4 kB.
    """

    def __init__(self, *, similar: float = SIMILAR, most: int | None = None) -> None:
        self._similar = similar
        self._most = most
        self._exact = set[str]()
        self._taken = OrderedDict[int, _Taken]()
        self._buckets = dict[tuple[int, bytes], list[int]]()
        self._next = 0

    def take(self, text: str) -> Why | None:
        """Take the text in and return None, or say why it is not taken."""
        alike = likeness(text)
        if alike in self._exact:
            return "repeated"
        shingles = _shingles(alike)
        keys = tuple(_bands(shingles))
        near = {number for key in keys for number in self._buckets.get(key, ())}
        if any(_jaccard(shingles, self._taken[one].shingles) >= self._similar for one in near):
            return "near_duplicate"
        self._add(_Taken(alike, shingles, keys))
        return None

    def _add(self, one: _Taken) -> None:
        self._exact.add(one.alike)
        for key in one.keys:
            self._buckets.setdefault(key, []).append(self._next)
        self._taken[self._next] = one
        self._next += 1
        if self._most is not None and len(self._taken) > self._most:
            self._forget(*self._taken.popitem(last=False))

    def _forget(self, number: int, one: _Taken) -> None:
        self._exact.discard(one.alike)
        for key in one.keys:
            bucket = self._buckets[key]
            bucket.remove(number)
            if not bucket:
                del self._buckets[key]


def _shingles(text: str) -> UInt64:
    """Hashes of all substrings of five characters, sorted, each once."""
    parts = {text[at : at + _SHINGLE] for at in range(max(len(text) - _SHINGLE + 1, 1))}
    return np.array(sorted(zlib.crc32(part.encode()) for part in parts), dtype=np.uint64)


def _bands(shingles: UInt64) -> list[tuple[int, bytes]]:
    # Multiply and shift: unsigned products wrap around, and their high bits are well mixed.
    hashed = (shingles[:, None] * _FACTORS + _SUMMANDS) >> _HIGH
    least = hashed.min(axis=0).reshape(_BANDS, _ROWS)
    return [(number, band.tobytes()) for number, band in enumerate(least)]


def _jaccard(a: UInt64, b: UInt64) -> float:
    shared = len(np.intersect1d(a, b, assume_unique=True))
    return shared / (len(a) + len(b) - shared)
