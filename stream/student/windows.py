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
    as fit in `stride` pieces. A word longer than `capacity` is alone in its range.
    """
    bounds = np.append(first_pieces, n_pieces)
    ranges: list[tuple[int, int]] = []
    last = 0
    while last < len(first_pieces):
        first = int(np.searchsorted(bounds, bounds[last] - stride))
        end = _fits(bounds, first, capacity)
        if end <= last:  # what is shared leaves no room for the next word
            first, end = last, max(_fits(bounds, last, capacity), last + 1)
        ranges.append((first, end))
        last = end
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


def _fits(bounds: npt.NDArray[Any], first: int, capacity: int) -> int:
    """End of the longest word range from `first` within `capacity` pieces."""
    return int(np.searchsorted(bounds, bounds[first] + capacity, side="right")) - 1
