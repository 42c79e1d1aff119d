"""Texts to windows of word pieces: the one encoder of training and serving.

What a word is says `stream.student.words`. Everything a user types is text: `[MASK]`
or `</s>` in it never become special tokens. All per-word work is done on
flat arrays of the whole batch; what remains is the tokenizer itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Any

import numpy as np
import numpy.typing as npt
import tokenizers

from schemas.errors import BundleError
from stream.student.casing import char_kinds, code_points, piece_classes
from stream.student.panics import is_libraries
from stream.student.tokenizer_check import checked_tokenizer
from stream.student.windows import split_words
from stream.student.words import cut_words, pre_tokens, trimmed

# One thread a call: threads are the Tagger's to give. The library reads this at each batch.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """At most `max_tokens` tokens of one text, its two special tokens included.

    `ids` and `types` are int64 [tokens]. For each of its words: `first_pieces`, the
    index into `ids` of its first piece; `word_starts` and `word_ends`, code points
    of the whole text; all int32 [words]. `first_word` counts from the text's beginning.
    """

    ids: Int64
    types: Int64
    first_pieces: Int32
    word_starts: Int32
    word_ends: Int32
    first_word: int


class Encoder:
    """Encodes batches of texts; takes the tokenizer over and sets its options.

    `max_tokens` counts the two special tokens; neighbouring windows of a long text
    share up to `stride` pieces. With `casing` the types carry the casing class of each
    piece (`stream.student.casing`), else 0. With `cut` the text parts words, not the tokenizer
    alone (`stream.student.words`). Safe to call from several threads.
    Raises `BundleError` when the numbers do not fit or the tokenizer does not
    frame a text with one special token at each end.
    """

    def __init__(
        self,
        tokenizer: tokenizers.Tokenizer,
        *,
        max_tokens: int,
        stride: int,
        casing: bool,
        cut: bool = False,
    ) -> None:
        if not 0 <= stride < max_tokens - 2:
            raise BundleError(f"stride {stride} does not fit into {max_tokens} max_tokens")
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self._frame = _frame(tokenizer)
        self.max_tokens, self.casing, self._cut = max_tokens, casing, cut
        self._capacity, self._stride = max_tokens - 2, stride

    @classmethod
    def from_bytes(
        cls, tokenizer: bytes, *, max_tokens: int, stride: int, casing: bool, cut: bool = False
    ) -> Encoder:
        """Make one from the bytes of a `tokenizer.json`.

        `BundleError` if they are not one, or not of known parts (`stream.student.tokenizer_check`).
        """
        checked = checked_tokenizer(tokenizer)
        try:
            parsed = tokenizers.Tokenizer.from_buffer(checked)
            return cls(parsed, max_tokens=max_tokens, stride=stride, casing=casing, cut=cut)
        except BundleError:
            raise
        except BaseException as error:
            if not is_libraries(error):
                raise
            raise BundleError(f"tokenizer.json cannot be read: {error}") from None

    @property
    def highest_id(self) -> int:
        """The highest token id that texts can get."""
        return max(self._tokenizer.get_vocab(with_added_tokens=True).values())

    def encode(self, texts: Sequence[str]) -> list[list[Window]]:
        """Windows of each text, in order; a text without any word has none.

        Raises on a lone surrogate, which has no UTF-8 (decoding refuses such texts).
        """
        pieces = _Pieces.of(self._tokenizer.encode_batch(texts, add_special_tokens=False))
        words = _Words.of(pieces, texts, casing=self.casing, cut=self._cut)
        ids = _framed(pieces.ids, pieces.sizes, *self._frame)
        types = _framed(words.types, pieces.sizes, 0, 0)
        return [self._windows(text, pieces, words, ids, types) for text in range(len(texts))]

    def _windows(
        self, text: int, pieces: _Pieces, words: _Words, ids: Int64, types: Int64
    ) -> list[Window]:
        first, last = words.bounds[text], words.bounds[text + 1]
        if first == last:
            return []
        begin = pieces.bounds[text] + 2 * text
        end = pieces.bounds[text + 1] + 2 * text + 2
        whole = Window(
            ids[begin:end],
            types[begin:end],
            words.first_pieces[first:last],
            words.starts[first:last],
            words.ends[first:last],
            0,
        )
        return [whole] if end - begin <= self._capacity + 2 else self._split(whole)

    def _split(self, whole: Window) -> list[Window]:
        n_pieces = len(whole.ids) - 2
        ranges = split_words(
            whole.first_pieces - 1, n_pieces=n_pieces, capacity=self._capacity, stride=self._stride
        )
        return [self._part(whole, first, last) for first, last in ranges]

    def _part(self, whole: Window, first: int, last: int) -> Window:
        begin = int(whole.first_pieces[first])
        ends_with = last == len(whole.first_pieces)
        end = len(whole.ids) - 1 if ends_with else int(whole.first_pieces[last])
        end = min(end, begin + self._capacity)  # one word longer than the window: its beginning
        return Window(
            np.concatenate(([self._frame[0]], whole.ids[begin:end], [self._frame[1]])),
            np.concatenate(([0], whole.types[begin:end], [0])),
            whole.first_pieces[first:last] - (begin - 1),
            whole.word_starts[first:last],
            whole.word_ends[first:last],
            first,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Pieces:
    """The pieces of all texts side by side: [n], offsets [n, 2] within their text."""

    ids: Int64
    word_ids: Int64
    offsets: Int32
    sizes: list[int]
    bounds: list[int]

    @classmethod
    def of(cls, encodings: list[tokenizers.Encoding]) -> _Pieces:
        sizes = [len(encoding) for encoding in encodings]
        pairs = chain.from_iterable(encoding.offsets for encoding in encodings)
        return cls(
            _flat((encoding.ids for encoding in encodings), sum(sizes)),
            _flat((encoding.word_ids for encoding in encodings), sum(sizes)),
            _flat(pairs, 2 * sum(sizes)).astype(np.int32).reshape(-1, 2),
            sizes,
            _bounds(sizes),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Words:
    """The words of all texts side by side, and the casing class of each piece."""

    types: Int64
    first_pieces: Int32
    starts: Int32
    ends: Int32
    bounds: list[int]

    @classmethod
    def of(cls, pieces: _Pieces, texts: Sequence[str], *, casing: bool, cut: bool) -> _Words:
        of_text = np.repeat(np.arange(len(texts)), pieces.sizes)
        bases = np.array(_bounds([len(text) + 1 for text in texts]), dtype=np.int32)[of_text]
        kinds = char_kinds(code_points("\n".join([*texts, ""])))
        starts, ends = (pieces.offsets + bases[:, None]).T
        if cut:
            starts, ends = trimmed(kinds, starts, ends)
        types = piece_classes(kinds, starts, ends) if casing else np.zeros(len(starts), np.int64)
        find = cut_words if cut else pre_tokens
        words = find(kinds, starts, ends, of_text=of_text, word_ids=pieces.word_ids)
        bases, numbers = bases[words.firsts], of_text[words.firsts]
        return cls(
            types,
            (words.firsts + 1 - np.array(pieces.bounds)[numbers]).astype(np.int32),
            words.starts - bases,
            words.ends - bases,
            np.searchsorted(words.firsts, pieces.bounds).tolist(),
        )


def _framed(values: Int64, sizes: list[int], start: int, end: int) -> Int64:
    """Each text's values between `start` and `end`: [n] -> [n + 2 * texts]."""
    framed = np.empty(len(values) + 2 * len(sizes), dtype=np.int64)
    bounds = np.array(_bounds([size + 2 for size in sizes]))
    is_value = np.ones(len(framed), dtype=np.bool_)
    is_value[bounds[:-1]] = is_value[bounds[1:] - 1] = False
    framed[is_value] = values
    framed[bounds[:-1]], framed[bounds[1:] - 1] = start, end
    return framed


def _flat(parts: Iterable[Iterable[Any]], size: int) -> Int64:
    return np.fromiter(chain.from_iterable(parts), dtype=np.int64, count=size)


def _bounds(sizes: list[int]) -> list[int]:
    """Where each part begins, and where the last one ends."""
    return [0, *accumulate(sizes)]


def _frame(tokenizer: tokenizers.Tokenizer) -> tuple[int, int]:
    ids = tokenizer.encode("").ids
    if len(ids) != 2:  # noqa: PLR2004 - one at each end
        raise BundleError(
            f"the tokenizer adds {len(ids)} special tokens to a text; one at each end is needed"
        )
    return ids[0], ids[1]
