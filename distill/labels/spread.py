"""Texts chosen for spread: where there are more than are to be labelled, each unlike the others.

Each next text is drawn with a chance that grows with its distance to the nearest one chosen: rare
kinds come in early, and an outlier is not certain to come. Time and memory are bounded: of very
many texts a uniform sample is looked at.

The fifth that calibrates and proves the promise (`splits.py`) is drawn at random all the same: what
is proved by texts that were chosen is proved of no stream.

Source: Arthur and Vassilvitskii (2007), "k-means++: the advantages of careful seeding".
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from distill.labels.splits import CALIBRATION_SHARE, calibrates
from distill.labels.written.embedding import lexical
from schemas.files.corpus import Example
from schemas.types import text_digest

Float64 = npt.NDArray[np.float64]

_CANDIDATES_EACH = 10
_CANDIDATES_AT_LEAST = 5_000
_CANDIDATES_AT_MOST = 50_000


def sampled(examples: Iterable[Example], most: int, *, seed: int) -> tuple[list[Example], int]:
    """Draw at most `most` different texts at random, in their order; count all examples too.

    Memory is bounded by `most`: whether a text is drawn follows from its digest and the seed alone.
    """
    key = seed.to_bytes(8, signed=True)
    held = dict[int, tuple[int, Example]]()
    heap = list[int]()
    n = 0
    for n, example in enumerate(examples, start=1):
        digest = hashlib.blake2b(example.text.encode(), digest_size=8, key=key).digest()
        lot = -int.from_bytes(digest)  # the heap gives the least: that of the greatest digest
        if lot in held or (len(heap) >= most and lot < heap[0]):
            continue
        held[lot] = (n, example)
        heapq.heappush(heap, lot)
        if len(heap) > most:
            del held[heapq.heappop(heap)]
    return [example for _, example in sorted(held.values(), key=lambda one: one[0])], n


def chosen_for_spread(examples: Sequence[Example], n: int, *, seed: int) -> list[Example]:
    """Choose `n` examples, in their order; all where there are no more. The seed draws them.

    Those whose labels will calibrate are drawn uniformly, and only the others for spread.
    """
    if len(examples) <= n:
        return list(examples)
    lot = np.random.default_rng(seed)
    proving, others = list[int](), list[int]()
    for at, example in enumerate(examples):
        (proving if calibrates(text_digest(example.text)) else others).append(at)
    n_random = min(max(round(n * CALIBRATION_SHARE), n - len(others)), len(proving))
    drawn = lot.choice(len(proving), size=n_random, replace=False)
    spread = _spread([examples[at].text for at in others], n - n_random, lot)
    chosen = [*(proving[int(one)] for one in drawn), *(others[one] for one in spread)]
    return [examples[at] for at in sorted(chosen)]


def _spread(texts: Sequence[str], n: int, lot: np.random.Generator) -> list[int]:
    """Choose `n` of at least as many texts; give their places."""
    if n == len(texts) or n == 0:
        return list(range(n))
    wanted = min(max(_CANDIDATES_EACH * n, _CANDIDATES_AT_LEAST), _CANDIDATES_AT_MOST)
    size = min(max(wanted, n), len(texts))
    places = np.sort(lot.choice(len(texts), size=size, replace=False))
    vectors = lexical([texts[at] for at in places])
    chosen = [int(lot.integers(len(places)))]
    far = np.full(len(places), np.inf, dtype=np.float64)
    while len(chosen) < n:
        distances = 1.0 - (vectors @ vectors[chosen[-1]]).astype(np.float64)
        far = np.minimum(far, np.clip(distances, 0.0, None))
        far[chosen] = 0.0
        chosen.append(_drawn(far, chosen, lot))
    return [int(places[one]) for one in chosen]


def _drawn(far: Float64, chosen: Sequence[int], lot: np.random.Generator) -> int:
    weights = np.square(far)
    total = float(weights.sum())
    if total > 0:
        return int(lot.choice(len(far), p=weights / total))
    # All that is left lies where a chosen one does: take the first.
    taken = set(chosen)
    return next(at for at in range(len(far)) if at not in taken)
