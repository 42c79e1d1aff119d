"""Categories: the labels of the whole text, learnt from each of its windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from distill.training.batches import Batch, Row, TrainExample, encode_rows
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
        """See `Objective`; targets float32 [1, labels], 1 for those that the text has."""

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
        return np.array([[label in has for label in self._labels]], dtype=np.float32)

    def epochs(
        self,
        examples: Sequence[TrainExample],
        encoder: Encoder,
        *,
        recipe: Recipe,  # noqa: ARG002 - the port's
        generator: np.random.Generator,  # noqa: ARG002 - the port's
    ) -> Iterator[list[Row]]:
        """See `Objective`."""
        rows = self.rows(examples, encoder)
        while True:
            yield rows

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """See `Objective`."""
        functional = nn.functional
        if self._choose == "one":
            losses = functional.cross_entropy(logits, batch.targets, reduction="none")
        else:
            losses = functional.binary_cross_entropy_with_logits(
                logits, batch.targets, reduction="none"
            ).sum(dim=1)
        return (losses * batch.weights).sum() / batch.weights.sum()
