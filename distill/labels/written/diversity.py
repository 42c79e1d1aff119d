"""How varied texts are: distinct n-grams, spread of embeddings, balance of labels. Pure.

Sources: distinct-n, Li et al. (2016), arXiv 1510.03055; evenness, Pielou (1966).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

_UNSPACED = "\u3040-\u30ff\u3400-\u9fff"
"""Kana and Han: a character is a word there."""
_WORD = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])\w)+")


def words_of(text: str) -> list[str]:
    """Give the words of a text, without case."""
    return _WORD.findall(text.casefold())


def distinct_n(texts: Iterable[str], n: int) -> float:
    """Give the share of word n-grams that are different, in [0, 1]; 0 without any."""
    seen, total = set[tuple[str, ...]](), 0
    for text in texts:
        for gram in _grams(words_of(text), n):
            seen.add(gram)
            total += 1
    return len(seen) / total if total else 0.0


def spread(vectors: Float32) -> float:
    """Give the mean cosine distance of two of the unit vectors [n, width]; 0 for fewer than two."""
    n = len(vectors)
    if n < 2:  # noqa: PLR2004 - a distance is between two
        return 0.0
    total = float(np.square(vectors.sum(axis=0, dtype=np.float64)).sum())
    return 1.0 - (total - n) / (n * (n - 1))


def novelties(earlier: Float32, new: Float32) -> list[float]:
    """Give each new unit vector's distance to the nearest one before it, in [0, 1].

    Both are [n, width]. Before it are all `earlier` ones, and the new ones that stand before it.
    """
    return [
        float(np.clip(1.0 - max(_nearest(earlier, one), _nearest(new[:at], one)), 0.0, 1.0))
        for at, one in enumerate(new)
    ]


def evenness(counts: Mapping[str, int]) -> float:
    """Give how even the counts are: entropy by that of equal ones, in [0, 1]; 1 for one label."""
    total = sum(counts.values())
    if len(counts) < 2:  # noqa: PLR2004 - one is even
        return 1.0
    shares = [count / total for count in counts.values() if count]
    return -sum(share * math.log(share) for share in shares) / math.log(len(counts))


def balance(labels: Iterable[str], names: Sequence[str]) -> dict[str, float]:
    """Give the share of each label among all; of nothing all are 0."""
    found = list(labels)
    return {name: found.count(name) / len(found) if found else 0.0 for name in names}


def _nearest(vectors: Float32, one: Float32) -> float:
    return float((vectors @ one).max()) if len(vectors) else 0.0


def _grams(words: Sequence[str], n: int) -> Iterator[tuple[str, ...]]:
    return (tuple(words[at : at + n]) for at in range(len(words) - n + 1))
