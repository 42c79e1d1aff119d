"""What a training asks of its objective: the port `Objective`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from torch import Tensor

from distill.training.batches import Batch, Row, TrainExample
from distill.training.pooling import Pool
from schemas.settings import Recipe
from stream.student.encoding import Encoder


class Objective(Protocol):
    """How examples become rows with targets, and how far logits are from these."""

    n_outputs: int
    """Logits that the head gives for each thing that it reads."""
    pool: Pool
    """What the head reads."""

    def rows(self, examples: Sequence[TrainExample], encoder: Encoder) -> list[Row]:
        """Make a row of each window of each example; a blank text has none.

        Raises `ConfigError` when an example is no answer to the task.
        """
        ...

    def epochs(
        self,
        examples: Sequence[TrainExample],
        encoder: Encoder,
        *,
        recipe: Recipe,
        generator: np.random.Generator,
    ) -> Iterator[list[Row]]:
        """Yield rows without end: of one epoch after the other, each in another variant.

        Those of an epoch of very many examples come in `distill.training.batches.parts`.
        """
        ...

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """Mean loss over what is to be learnt in the batch, each weighted as its row."""
        ...
