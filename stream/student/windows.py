"""Long texts: overlapping windows of whole words, each word decided by one of them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt


def split_words(
    first_pieces: npt.NDArray[Any], *, n_pieces: int, capacity: int, stride: int
) -> list[tuple[int, int]]:
    """Half-open word ranges that cover every word, each of at most `capacity` pieces.

    `first_pieces` int[words] ascends from 0. Neighbours share as many whole words
    as fit in `stride` pieces, or fewer where the next word needs the room. A word longer
    than `capacity` is alone in its range.
    """
    bounds = np.append(first_pieces, n_pieces)
    ranges: list[tuple[int, int]] = []
    last = 0
    while last < len(first_pieces):
        # Reach back by the stride, but leave room for the next word.
        back_to = max(bounds[last] - stride, bounds[last + 1] - capacity)
        first = min(int(np.searchsorted(bounds, back_to)), last)
        fits = int(np.searchsorted(bounds, bounds[first] + capacity, side="right")) - 1
        last = max(fits, last + 1)
        ranges.append((first, last))
    return ranges


def deciders(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Words that each range decides: half-open, side by side, without a gap.

    Where two ranges overlap, the cut is in the middle of what they share, so that a
    word is decided where it is farthest from a border. The text's own
    beginning and end are no borders.
    """
    if len(ranges) < 2:  # noqa: PLR2004 - the common case, kept quick: nothing to cut
        return ranges
    cuts = [(left[1] + right[0]) // 2 for left, right in pairwise(ranges)]
    return list(zip([ranges[0][0], *cuts], [*cuts, ranges[-1][1]], strict=True))
