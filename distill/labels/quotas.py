"""No producer rules what is learnt or judged: what each may have, and what is more. Pure.

A producer's part is bounded by the others' parts, so that who sends more gets no more. Where fewer
producers are there than the quota foresees (two, say, and a fifth each), they have equal parts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from distill.labels.table import LabelTable

_ROUNDING = 1 + 1e-9


@dataclass(frozen=True, slots=True)
class StreamText:
    """A text of the stream, and by a digest who sent it; "" where that is not known."""

    text: str
    producer: str = ""


def largest_part(parts: Collection[float], share: float, *, others: float = 0.0) -> float:
    """Find the most that one may have so that none has more than `share` of all that is left.

    `others` is what counts and is never cut. Infinite where nothing is to be cut.
    """
    if not parts:
        return math.inf
    if not others:
        share = max(share, 1 / len(parts))
    rest = sum(parts) + others
    for n_cut, part in enumerate(sorted(parts, reverse=True)):
        # The largest ones are cut to a cap c: c = share * (n_cut * c + rest).
        cap = share * rest / (1 - share * n_cut) if share * n_cut < 1 else math.inf
        if part <= cap * _ROUNDING:
            return cap if n_cut else math.inf
        rest -= part
    return share * rest / (1 - share * len(parts))


def within_quota(texts: Sequence[StreamText], share: float) -> list[StreamText]:
    """Leave out the oldest of those producers that sent more than their share; the order stays."""
    return [texts[at] for at in places_within([one.producer for one in texts], share)]


def labels_within(labels: LabelTable, share: float) -> LabelTable:
    """Leave out the oldest labels of those producers that have more than their share."""
    producers = map(labels.values_of("producer").__getitem__, labels.codes("producer"))
    by_age = np.argsort(labels.times_ms, kind="stable")
    said = np.array([*producers], dtype=object)[by_age]
    return labels.take(np.sort(by_age[places_within(said.tolist(), share)]))


def places_within(producers: Sequence[str], share: float) -> list[int]:
    """Choose the places of what stays, of what these producers sent, the newest last."""
    counts = Counter(producer for producer in producers if producer)
    unknown = len(producers) - counts.total()
    most = largest_part(counts.values(), share, others=unknown)
    if math.isinf(most):
        return [*range(len(producers))]
    kept: Counter[str] = Counter()
    found = []
    for at in reversed(range(len(producers))):
        producer = producers[at]
        kept[producer] += 1
        if not producer or kept[producer] <= max(most, 1) * _ROUNDING:
            found.append(at)
    return found[::-1]
