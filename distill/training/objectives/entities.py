"""Entities: a tag for each word, on the word's first piece."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch import Tensor, nn

from distill.training.augmentation import MentionSwap
from distill.training.batches import Batch, Row, TrainExample, encode_rows
from distill.training.pooling import Pool, each_token
from schemas.bio import encode_bio, tag_names
from schemas.settings import Recipe
from stream.student.encoding import Encoder, Window


class EntityObjective:
    """Cross entropy over words; each epoch has other mentions exchanged."""

    pool: Pool = staticmethod(each_token)

    def __init__(self, labels: Sequence[str]) -> None:
        self._tags = tag_names(labels)
        self.n_outputs = len(self._tags)

    def rows(self, examples: Sequence[TrainExample], encoder: Encoder) -> list[Row]:
        """See `Objective`; targets int64 [words]."""

        def of_text(example: TrainExample, windows: Sequence[Window]) -> Iterator[Row]:
            for window in windows:
                tags = encode_bio(
                    window.word_starts, window.word_ends, example.entities, self._tags
                )
                yield Row.of(window, np.asarray(tags, dtype=np.int64), example.weight)

        return encode_rows(examples, encoder=encoder, of_text=of_text)

    def epochs(
        self,
        examples: Sequence[TrainExample],
        encoder: Encoder,
        *,
        recipe: Recipe,
        generator: np.random.Generator,
    ) -> Iterator[list[Row]]:
        """See `Objective`."""
        swap = MentionSwap(examples, share=recipe.mention_swap, generator=generator)
        while True:
            yield self.rows(swap.draw(), encoder)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """See `Objective`.

        Weights count within a batch: a batch of old labels alone counts in full. The mean weight
        of all examples as divisor gave less: `docs/measurements.md`, "Weights in the loss".
        """
        weights = batch.weights[:, None].expand(batch.is_word.shape)[batch.is_word]
        losses = nn.functional.cross_entropy(logits[batch.is_word], batch.targets, reduction="none")
        return (losses * weights).sum() / weights.sum()
