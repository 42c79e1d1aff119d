"""What a student is unsure of in a text, and its likeliest choices there: for whoever asks further.

A word is doubtful where its tag is less likely than nine in ten. Doubtful words side by side are
one doubt, and a mention that has such a word is doubtful as a whole: what is unsure is often where
it begins and ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.categories import Choose
from schemas.types import Choice, Doubt
from stream.student.decoding import Decoded

_SURE = 0.9
_MOST_DOUBTS = 3
"""In more places it is the whole text that is doubtful."""
_MOST_CHOICES = 3
_LEAST_LIKELY = 0.02
_OF_CATEGORIES = 5
_LIKELY_TOGETHER = 0.98

Ints = npt.NDArray[Any]


def entity_doubts(
    decoded: Decoded, bounds: Ints, starts: Ints, ends: Ints, labels: Sequence[str]
) -> list[tuple[Doubt, ...]]:
    """Find the doubts of each text; none for one that is doubtful in more than three places.

    `bounds` int64 [texts + 1] and `starts`, `ends` [words] as where words stand side by side.
    """
    found: list[tuple[Doubt, ...]] = [()] * (len(bounds) - 1)
    low = np.flatnonzero(decoded.confidences < _SURE)
    texts = np.unique(np.searchsorted(bounds, low, side="right") - 1)
    for text in texts.tolist():
        first, end = int(bounds[text]), int(bounds[text + 1])
        tags, sure = decoded.tag_ids[first:end].tolist(), decoded.confidences[first:end] >= _SURE
        runs = list(_doubtful_runs(tags, sure.tolist()))
        if len(runs) <= _MOST_DOUBTS:
            found[text] = tuple(
                Doubt(
                    int(starts[first + a]),
                    int(ends[first + b - 1]),
                    _choices(decoded, first + a, first + b, labels),
                )
                for a, b in runs
            )
    return found


def category_doubts(
    probabilities: Sequence[float], labels: Sequence[str], choose: Choose
) -> tuple[Doubt, ...]:
    """Give the likeliest categories that together are nearly certain, or those in doubt each."""
    ranked = sorted(zip(probabilities, labels, strict=True), reverse=True)
    if choose == "any":
        open_ = [(p, label) for p, label in ranked if 1 - _SURE < p < _SURE]
        return _of_text(open_) if 0 < len(open_) <= _OF_CATEGORIES else ()
    likely: list[tuple[float, str]] = []
    for one in ranked[:_OF_CATEGORIES]:
        likely.append(one)
        if sum(p for p, _ in likely) >= _LIKELY_TOGETHER:
            break
    return _of_text(likely) if len(likely) > 1 else ()


def _of_text(ranked: Sequence[tuple[float, str]]) -> tuple[Doubt, ...]:
    return (Doubt(0, 0, tuple(Choice(label, min(p, 1.0)) for p, label in ranked)),)


def _doubtful_runs(tags: Sequence[int], sure: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Half-open ranges of words; a mention stands in one as a whole or not at all."""
    # A mention begins at an odd tag, and goes on at even ones.
    edges = [at for at, tag in enumerate(tags) if tag == 0 or tag & 1] + [len(tags)]
    begun: int | None = None
    before_is_mention = False
    for start, end in pairwise(edges):
        is_mention = tags[start] != 0
        doubtful = not all(sure[start:end])
        # Two mentions side by side are two doubts.
        if begun is not None and (not doubtful or (is_mention and before_is_mention)):
            yield begun, start
            begun = None
        if doubtful and begun is None:
            begun = start
        before_is_mention = is_mention
    if begun is not None:
        yield begun, len(tags)


def _choices(decoded: Decoded, first: int, end: int, labels: Sequence[str]) -> tuple[Choice, ...]:
    """Rank the labels of words by what these say on the mean; "" is none."""
    of_tags = np.exp(decoded.log_probs[first:end].astype(np.float64)).mean(axis=0)
    of_labels = [float(of_tags[0]), *(of_tags[1::2] + of_tags[2::2]).tolist()]
    ranked = sorted(zip(of_labels, ["", *labels], strict=True), key=lambda one: -one[0])
    kept = [Choice(label, min(p, 1.0)) for p, label in ranked if p >= _LEAST_LIKELY]
    return tuple(kept[:_MOST_CHOICES])
