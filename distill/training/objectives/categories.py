"""Categories: the labels of the whole text, learnt from each of its windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from distill.training.batches import PART, Batch, Row, TrainExample, encode_rows, parts
from distill.training.pooling import Pool, mean_of_tokens
from schemas.categories import Choose, check_chosen
from schemas.errors import ConfigError
from schemas.settings import Recipe
from stream.student.encoding import Encoder, Window


class CategoryObjective:
    """Cross entropy over the labels to choose one of, or a yes or no about each to choose any.

    Windows share their text's weight by their tokens, as they share its answer when it is
    tagged. Nothing is exchanged between texts; words are hidden as for entities.
    """

    pool: Pool = staticmethod(mean_of_tokens)

    def __init__(self, labels: Sequence[str], choose: Choose) -> None:
        self._labels, self._choose = labels, choose
        self.n_outputs = len(labels)

    def rows(self, examples: Sequence[TrainExample], encoder: Encoder) -> list[Row]:
        """See `Objective`; targets float32 [1, labels]: 1 has it, 0 not, -1 was not asked."""

        def of_text(example: TrainExample, windows: Sequence[Window]) -> Iterator[Row]:
            targets = self._targets(example)
            n_tokens = sum(len(window.ids) for window in windows)
            for window in windows:
                yield Row.of(window, targets, example.weight * len(window.ids) / n_tokens)

        return encode_rows(examples, encoder=encoder, of_text=of_text)

    def _targets(self, example: TrainExample) -> npt.NDArray[np.float32]:
        try:
            check_chosen(example.categories, labels=self._labels, choose=self._choose)
        except ValueError as error:
            raise ConfigError(f"an example cannot be learnt: {error}") from None
        has = {category.label for category in example.categories}
        unasked = example.unasked - has
        targets = [-1.0 if x in unasked else float(x in has) for x in self._labels]
        return np.array([targets], dtype=np.float32)

    def epochs(
        self,
        examples: Sequence[TrainExample],
        encoder: Encoder,
        *,
        recipe: Recipe,  # noqa: ARG002 - the port's
        generator: np.random.Generator,
    ) -> Iterator[list[Row]]:
        """See `Objective`."""
        while len(examples) > PART:
            for part in parts(examples, generator):
                yield self.rows(part, encoder)
        rows = self.rows(examples, encoder)
        while True:
            yield rows

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """See `Objective`."""
        of_one = self._choose == "one"
        losses = (_of_one if of_one else _of_any)(logits, batch.targets)
        return (losses * batch.weights).sum() / batch.weights.sum()


def _of_one(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy; where a label was not asked about, that of it and the text's own together."""
    if not (targets < 0).any():
        return nn.functional.cross_entropy(logits, targets, reduction="none")
    log_probs = nn.functional.log_softmax(logits, dim=1)
    return -torch.logsumexp(log_probs.masked_fill(targets == 0, -torch.inf), dim=1)


def _of_any(logits: Tensor, targets: Tensor) -> Tensor:
    """Sum over the labels that were asked about."""
    losses = nn.functional.binary_cross_entropy_with_logits(
        logits, targets.clamp(min=0), reduction="none"
    )
    return losses.masked_fill(targets < 0, 0.0).sum(dim=1)
