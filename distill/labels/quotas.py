"""No producer rules what is learnt or judged: what each may have, and what is more. Pure.

A producer's part is bounded by the others' parts, so that who sends more gets no more. Where fewer
producers are there than the quota foresees (two, say, and a fifth each), they have equal parts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

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
    counts = Counter(one.producer for one in texts if one.producer)
    unknown = sum(not one.producer for one in texts)
    most = largest_part(counts.values(), share, others=unknown)
    if math.isinf(most):
        return list(texts)
    kept: Counter[str] = Counter()
    found = []
    for one in reversed(texts):
        kept[one.producer] += 1
        if not one.producer or kept[one.producer] <= max(most, 1) * _ROUNDING:
            found.append(one)
    return found[::-1]
