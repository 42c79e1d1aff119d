"""Examples to batches: windows with what is to be learnt from them, grouped by length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from schemas.types import Category, Entity
from stream.student.encoding import Encoder, Window

_POOL_BATCHES = 16
_ENCODED = 1024
"""Texts that are encoded together: what the tokenizer says of them takes far more than rows."""
PART = 32_768
"""Examples whose rows are there at once, some 1.5 kB each."""

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TrainExample:
    """A labelled text; `weight` in (0, 1] is how much it counts in the loss."""

    text: str
    entities: tuple[Entity, ...]
    weight: float = 1.0
    categories: tuple[Category, ...] = ()
    unasked: frozenset[str] = frozenset()
    """Labels that nothing is said about: what is not there may be one of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One window to train on.

    `ids` and `types` are int64 [tokens]; `is_word` bool [tokens] marks the first piece of each
    word; `targets` [n, ...] are the objective's.
    """

    ids: Int64
    types: Int64
    is_word: npt.NDArray[np.bool_]
    targets: npt.NDArray[Any]
    weight: float

    @classmethod
    def of(cls, window: Window, targets: npt.NDArray[Any], weight: float) -> Row:
        """Make one of a window."""
        is_word = np.zeros(len(window.ids), dtype=np.bool_)
        is_word[window.first_pieces] = True
        return cls(window.ids, window.types, is_word, targets, weight)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Padded rows: [batch, tokens] each, int64 but `is_word`, bool.

    `targets` [n, ...] are those of all rows, one row's after the other's; `weights` float32
    [batch].
    """

    ids: Tensor
    mask: Tensor
    types: Tensor
    is_word: Tensor
    targets: Tensor
    weights: Tensor

    def to(self, device: str) -> Batch:
        """Put the same batch on another device."""
        parts = (getattr(self, field.name) for field in fields(self))
        return Batch(*(part.to(device) for part in parts))


OfText = Callable[[TrainExample, Sequence[Window]], Iterable[Row]]
"""Makes the rows of one text, which has one window at least."""


def encode_rows(
    examples: Sequence[TrainExample], *, encoder: Encoder, of_text: OfText
) -> list[Row]:
    """Make the rows of all examples; a blank text has none."""
    rows: list[Row] = []
    for start in range(0, len(examples), _ENCODED):
        piece = examples[start : start + _ENCODED]
        encoded = encoder.encode([example.text for example in piece])
        for example, windows in zip(piece, encoded, strict=True):
            if windows:
                rows += of_text(example, windows)
    return rows


def parts(
    examples: Sequence[TrainExample], generator: np.random.Generator, *, most: int = PART
) -> Iterator[list[TrainExample]]:
    """Cut an epoch into parts whose rows have room: very many examples at random, else all."""
    if len(examples) <= most:
        yield [*examples]
        return
    order = generator.permutation(len(examples))
    for start in range(0, len(order), most):
        yield [examples[i] for i in order[start : start + most].tolist()]


def draw_batches(
    rows: Sequence[Row], *, size: int, generator: np.random.Generator
) -> Iterator[Batch]:
    """One epoch in random order, neighbours in length together.

    Sorting within pools of a few batches saves most of the padding, and leaves most of the
    randomness.
    """
    order = generator.permutation(len(rows))
    pools = [
        sorted(order[i : i + size * _POOL_BATCHES], key=lambda row: len(rows[row].ids))
        for i in range(0, len(order), size * _POOL_BATCHES)
    ]
    cuts = [pool[i : i + size] for pool in pools for i in range(0, len(pool), size)]
    for cut in generator.permutation(len(cuts)):
        yield collate([rows[row] for row in cuts[cut]])


def collate(rows: Sequence[Row], *, pad_id: int = 0) -> Batch:
    """Pad the rows to the longest of them."""
    shape = (len(rows), max(len(row.ids) for row in rows))
    ids, types = np.full(shape, pad_id), np.zeros(shape, dtype=np.int64)
    mask, is_word = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.bool_)
    for i, row in enumerate(rows):
        n = len(row.ids)
        ids[i, :n], types[i, :n], is_word[i, :n], mask[i, :n] = row.ids, row.types, row.is_word, 1
    return Batch(
        ids=torch.from_numpy(ids),
        mask=torch.from_numpy(mask),
        types=torch.from_numpy(types),
        is_word=torch.from_numpy(is_word),
        targets=torch.from_numpy(np.concatenate([row.targets for row in rows])),
        weights=torch.tensor([row.weight for row in rows], dtype=torch.float32),
    )
