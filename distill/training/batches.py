"""Examples to batches: windows with a tag on each word's first piece, grouped by length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from schemas.bio import encode_bio
from schemas.types import Entity
from stream.student.encoding import Encoder, Window

IGNORED = -100
"""The tag of pieces that carry no tag: special tokens, padding, a word's later pieces."""

_POOL_BATCHES = 16

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TrainExample:
    """A labelled text; `weight` in (0, 1] is how much its words count in the loss."""

    text: str
    entities: tuple[Entity, ...]
    weight: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One window to train on; `ids`, `types` and `tags` are int64 [tokens]."""

    ids: Int64
    types: Int64
    tags: Int64
    weight: float


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Padded rows: int64 [batch, tokens] each, but `weights`, float32 [batch]."""

    ids: Tensor
    mask: Tensor
    types: Tensor
    tags: Tensor
    weights: Tensor

    def to(self, device: str) -> Batch:
        """Put the same batch on another device."""
        parts = (self.ids, self.mask, self.types, self.tags, self.weights)
        return Batch(*(part.to(device) for part in parts))


def encode_rows(
    examples: Sequence[TrainExample], *, encoder: Encoder, tags: Sequence[str]
) -> list[Row]:
    """Make a row of each window of each example; a blank text has none."""
    encoded = encoder.encode([example.text for example in examples])
    return [
        _row(window, example, tags)
        for example, windows in zip(examples, encoded, strict=True)
        for window in windows
    ]


def _row(window: Window, example: TrainExample, tags: Sequence[str]) -> Row:
    of_tokens = np.full(len(window.ids), IGNORED, dtype=np.int64)
    of_tokens[window.first_pieces] = encode_bio(
        window.word_starts, window.word_ends, example.entities, tags
    )
    return Row(window.ids, window.types, of_tokens, example.weight)


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
    mask, tags = np.zeros(shape, dtype=np.int64), np.full(shape, IGNORED)
    for i, row in enumerate(rows):
        n = len(row.ids)
        ids[i, :n], types[i, :n], tags[i, :n], mask[i, :n] = row.ids, row.types, row.tags, 1
    return Batch(
        ids=torch.from_numpy(ids),
        mask=torch.from_numpy(mask),
        types=torch.from_numpy(types),
        tags=torch.from_numpy(tags),
        weights=torch.tensor([row.weight for row in rows], dtype=torch.float32),
    )
