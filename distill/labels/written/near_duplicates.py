"""Texts that were there before, or nearly: character shingles, MinHash, exact overlap at the end.

Sources: Broder (1997), "On the resemblance and containment of documents"; banding, Leskovec,
Rajaraman, Ullman, "Mining of Massive Datasets", chapter 3. Characters, not words, so that it
holds for languages that write no spaces.
"""

from __future__ import annotations

import zlib
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from distill.judging.urn import likeness

UInt64 = npt.NDArray[np.uint64]
Why = Literal["repeated", "near_duplicate"]

SIMILAR: Final = 0.65
"""Texts that share so many of their shingles (Jaccard) are one."""
_SHINGLE = 5
_BANDS, _ROWS = 16, 4
_LOT = np.random.default_rng(20240211)  # any fixed numbers will do
_FACTORS: UInt64 = _LOT.integers(1, 2**63, _BANDS * _ROWS, dtype=np.uint64) * 2 + 1
_SUMMANDS: UInt64 = _LOT.integers(0, 2**63, _BANDS * _ROWS, dtype=np.uint64)
_HIGH = np.uint64(32)


class NearDuplicates:
    """The texts taken so far; a candidate costs time that does not grow with their number."""

    def __init__(self, *, similar: float = SIMILAR) -> None:
        self._similar = similar
        self._exact = set[str]()
        self._shingles = list[UInt64]()
        self._buckets = dict[tuple[int, bytes], list[int]]()

    def take(self, text: str) -> Why | None:
        """Take the text in and return None, or say why it is not taken."""
        alike = likeness(text)
        if alike in self._exact:
            return "repeated"
        shingles = _shingles(alike)
        keys = _bands(shingles)
        near = {number for key in keys for number in self._buckets.get(key, ())}
        if any(_jaccard(shingles, self._shingles[one]) >= self._similar for one in near):
            return "near_duplicate"
        self._exact.add(alike)
        for key in keys:
            self._buckets.setdefault(key, []).append(len(self._shingles))
        self._shingles.append(shingles)
        return None


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
