"""Which pieces make a word, and where it lies in the text.

The tokenizers of some families take white space into a piece (byte-level BPE, SentencePiece), leave
a sentence of Chinese or Thai in one pre-token, or cut one letter into several pieces. Here a word
never holds white space, ends at punctuation whatever the tokenizer thinks of it, and in scripts
without spaces each piece is a word of its own, so that a span may begin and end inside the text.
Letters that share a place in the text (a letter's bytes, a ligature's letters) stay together, and
a mark stays with its letter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stream.student.casing import ALONE, MARK, SPACE, after_marks

Ints = npt.NDArray[Any]
Kinds = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """For each word, among all pieces of a batch: its first piece, its start and its end, [words].

    Offsets count in the batch's joined text, as those of the pieces do.
    """

    firsts: Ints
    starts: Ints
    ends: Ints


def pre_tokens(kinds: Kinds, starts: Ints, ends: Ints, *, of_text: Ints, word_ids: Ints) -> Words:
    """Words as the tokenizer parts them: those of the students of 0.1.0.

    `kinds` [chars] of the joined text; the others [pieces].
    """
    is_edge = np.ones(len(starts) + 1, dtype=np.bool_)
    is_edge[1:-1] = (word_ids[1:] != word_ids[:-1]) | (of_text[1:] != of_text[:-1])
    edges = np.flatnonzero(is_edge)
    return _words(kinds, edges[:-1], starts[edges[:-1]], ends[edges[1:] - 1])


def cut_words(kinds: Kinds, starts: Ints, ends: Ints, *, of_text: Ints, word_ids: Ints) -> Words:
    """Words as the text parts them; `starts` and `ends` are `trimmed`."""
    solid = np.flatnonzero(starts < ends)
    starts, ends, of_text, word_ids = (x[solid] for x in (starts, ends, of_text, word_ids))
    reached = np.maximum.accumulate(ends)
    is_edge = np.ones(len(solid) + 1, dtype=np.bool_)
    is_edge[1:-1] = (of_text[1:] != of_text[:-1]) | (
        _parted(kinds, starts, ends, word_ids) & ~_joined(kinds, starts, reached)
    )
    edges = np.flatnonzero(is_edge)
    firsts = edges[:-1]
    return _words(kinds, solid[firsts], starts[firsts], reached[edges[1:] - 1])


def _parted(kinds: Kinds, starts: Ints, ends: Ints, word_ids: Ints) -> npt.NDArray[np.bool_]:
    """Whether something stands between each piece and the one before it, [pieces - 1]."""
    is_alone = kinds == ALONE
    parted: npt.NDArray[np.bool_] = (
        (word_ids[1:] != word_ids[:-1])
        | (kinds[starts[1:] - 1] == SPACE)
        | is_alone[starts[1:]]
        | is_alone[starts[:-1]]
        | is_alone[ends[:-1] - 1]
    )
    return parted


def _joined(kinds: Kinds, starts: Ints, reached: Ints) -> npt.NDArray[np.bool_]:
    """Whether nothing can part each piece from the one before it, [pieces - 1]."""
    overlaps = starts[1:] < reached[:-1]
    joined: npt.NDArray[np.bool_] = overlaps | (
        (starts[1:] == reached[:-1]) & (kinds[starts[1:]] == MARK)
    )
    return joined


def trimmed(kinds: Kinds, starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Pieces without the white space at either end; one that is nothing else becomes empty."""
    is_space = kinds == SPACE
    if not (is_space[starts] | is_space[ends - 1]).any():
        return starts, ends
    others = np.append(np.flatnonzero(~is_space), len(kinds)).astype(starts.dtype)
    firsts = np.minimum(others[np.searchsorted(others, starts)], ends)
    before = np.searchsorted(others, ends) - 1
    lasts = np.where(before >= 0, others[before] + 1, 0).astype(ends.dtype)
    return firsts, np.maximum(lasts, firsts)


def _words(kinds: Kinds, firsts: Ints, starts: Ints, ends: Ints) -> Words:
    ends = after_marks(kinds, ends)
    ends[:-1] = np.minimum(ends[:-1], starts[1:])
    return Words(firsts, starts, ends)
