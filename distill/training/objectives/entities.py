"""Entities: a tag for each word, on the word's first piece."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from distill.training.augmentation import MentionSwap
from distill.training.batches import Batch, Row, TrainExample, encode_rows, parts
from distill.training.pooling import Pool, each_token
from schemas.bio import encode_bio, tag_names
from schemas.settings import Recipe
from stream.student.encoding import Encoder, Window

Targets = npt.NDArray[np.int64]
_NO_TAG = 0
"""The number of the tag O."""


class EntityObjective:
    """Cross entropy over words; each epoch has other mentions exchanged.

    A word without a tag in a text that was not asked about some label may be of that label: there
    the probabilities of all tags that may be right are summed.
    """

    pool: Pool = staticmethod(each_token)

    def __init__(self, labels: Sequence[str]) -> None:
        self._tags = tag_names(labels)
        self.n_outputs = len(self._tags)
        self._sets: list[frozenset[str]] = []

    def rows(self, examples: Sequence[TrainExample], encoder: Encoder) -> list[Row]:
        """See `Objective`; targets int64 [words], below 0 where an unasked label may be."""

        def of_text(example: TrainExample, windows: Sequence[Window]) -> Iterator[Row]:
            for window in windows:
                tags = encode_bio(
                    window.word_starts, window.word_ends, example.entities, self._tags
                )
                targets = self._marked(np.array(tags, dtype=np.int64), example.unasked)
                yield Row.of(window, targets, example.weight)

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
        while True:
            for part in parts(examples, generator):
                swap = MentionSwap(part, share=recipe.mention_swap, generator=generator)
                yield self.rows(swap.draw(), encoder)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """See `Objective`.

        Weights count within a batch: a batch of old labels alone counts in full. The mean weight
        of all examples as divisor gave less: `docs/measurements.md`, "Weights in the loss".
        """
        weights = batch.weights[:, None].expand(batch.is_word.shape)[batch.is_word]
        losses = self._losses(logits[batch.is_word], batch.targets)
        return (losses * weights).sum() / weights.sum()

    def _marked(self, tags: npt.NDArray[np.int64], unasked: frozenset[str]) -> Targets:
        """Mark words without a tag that may have one of the unasked labels."""
        if unasked:
            if unasked not in self._sets:
                self._sets.append(unasked)
            tags[tags == _NO_TAG] = -1 - self._sets.index(unasked)
        return tags

    def _losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy of each word; where several tags may be right that of their sum."""
        losses = nn.functional.cross_entropy(logits, targets.clamp(min=_NO_TAG), reduction="none")
        open_ = targets < _NO_TAG
        if not open_.any():
            return losses
        may_be = torch.tensor([self._may_be(one) for one in self._sets], device=logits.device)
        log_probs = nn.functional.log_softmax(logits[open_], dim=1)
        of_these = log_probs.masked_fill(~may_be[-1 - targets[open_]], -torch.inf)
        return losses.masked_scatter(open_, -torch.logsumexp(of_these, dim=1))

    def _may_be(self, unasked: frozenset[str]) -> list[bool]:
        return [tag == self._tags[_NO_TAG] or tag[2:] in unasked for tag in self._tags]
