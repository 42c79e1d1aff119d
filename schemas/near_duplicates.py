"""Texts that were there before, or nearly: character shingles, MinHash, their overlap at the end.

Sources: Broder (1997), "On the resemblance and containment of documents"; banding, Leskovec,
Rajaraman, Ullman, "Mining of Massive Datasets", chapter 3. Characters, not words, so that it
holds for languages that write no spaces. Of a long text the least hashes stand for all (bottom-k
sketch), and of many texts that are half alike, as those of one template, the newest are looked at:
so neither length nor number makes it slow or big.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict, deque
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from schemas.likeness import likeness

UInt64 = npt.NDArray[np.uint64]
UInt32 = npt.NDArray[np.uint32]
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
_SKETCH = 512
"""Hashes of shingles that are kept of a text; of up to so many the overlap is exact."""
_NEWEST = 8
"""Of the texts that share a band, so many are looked at."""
_CLOSEST = 8
"""And of all of these, so many are compared by their shingles: the closest by MinHash."""
_MARGIN = 0.2
"""So far MinHash of 64 may err, but once in a thousand."""


@dataclass(frozen=True, slots=True)
class _Taken:
    digest: bytes
    shingles: UInt32
    least: UInt32
    keys: tuple[tuple[int, bytes], ...]


class NearDuplicates:
    """The texts taken so far; a candidate costs time that does not grow with their number.

    Of more than `most` the oldest are forgotten; a text takes 5 kB at most.
    """

    def __init__(self, *, similar: float = SIMILAR, most: int | None = None) -> None:
        self._similar = similar
        self._most = most
        self._exact = set[bytes]()
        self._taken = OrderedDict[int, _Taken]()
        self._buckets = dict[tuple[int, bytes], deque[int]]()
        self._next = 0

    def take(self, text: str) -> Why | None:
        """Take the text in and return None, or say why it is not taken."""
        alike = likeness(text)
        digest = blake2b(alike.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if digest in self._exact:
            return "repeated"
        shingles = _shingles(alike)
        least = _least(shingles)
        keys = tuple((number, band.tobytes()) for number, band in enumerate(least))
        if any(
            _jaccard(shingles, one.shingles) >= self._similar
            for one in self._closest(least.ravel(), keys)
        ):
            return "near_duplicate"
        self._add(_Taken(digest, shingles, least.ravel(), keys))
        return None

    def _closest(self, least: UInt32, keys: tuple[tuple[int, bytes], ...]) -> list[_Taken]:
        """Give the texts that may be near enough, the closest first."""
        near = {number for key in keys for number in self._buckets.get(key, ())}
        if not near:
            return []
        texts = [self._taken[number] for number in sorted(near)]
        closeness = (np.stack([one.least for one in texts]) == least).mean(axis=1)
        order = np.argsort(-closeness, kind="stable")[:_CLOSEST]
        return [texts[at] for at in order if closeness[at] >= self._similar - _MARGIN]

    def _add(self, one: _Taken) -> None:
        self._exact.add(one.digest)
        for key in one.keys:
            self._buckets.setdefault(key, deque(maxlen=_NEWEST)).append(self._next)
        self._taken[self._next] = one
        self._next += 1
        if self._most is not None and len(self._taken) > self._most:
            self._forget(*self._taken.popitem(last=False))

    def _forget(self, number: int, one: _Taken) -> None:
        self._exact.discard(one.digest)
        for key in one.keys:
            bucket = self._buckets[key]
            if number in bucket:  # a newer one may have taken its place
                bucket.remove(number)
            if not bucket:
                del self._buckets[key]


def nearly_one(a: str, b: str, *, similar: float = SIMILAR) -> bool:
    """Whether two texts share so many of their shingles, or differ in digits, case and spaces."""
    alike = likeness(a), likeness(b)
    return alike[0] == alike[1] or _jaccard(*map(_shingles, alike)) >= similar


def _shingles(text: str) -> UInt32:
    """Hashes of the substrings of five characters, sorted, each once: the least `_SKETCH`."""
    parts = {text[at : at + _SHINGLE] for at in range(max(len(text) - _SHINGLE + 1, 1))}
    hashes = (zlib.crc32(part.encode("utf-8", "surrogatepass")) for part in parts)
    return np.unique(np.fromiter(hashes, dtype=np.uint32))[:_SKETCH]


def _least(shingles: UInt32) -> UInt32:
    # Multiply and shift: unsigned products wrap around, and their high bits are well mixed.
    hashed = (shingles.astype(np.uint64)[:, None] * _FACTORS + _SUMMANDS) >> _HIGH
    least: UInt32 = hashed.min(axis=0).astype(np.uint32).reshape(_BANDS, _ROWS)
    return least


def _jaccard(a: UInt32, b: UInt32) -> float:
    """Give the share of the shingles of both that each of them has; estimated of long texts."""
    shared = np.intersect1d(a, b, assume_unique=True)
    if len(a) < _SKETCH and len(b) < _SKETCH:
        return len(shared) / (len(a) + len(b) - len(shared))
    least = np.union1d(a, b)[:_SKETCH]
    return int(np.searchsorted(shared, least[-1], side="right")) / len(least)
