"""The mean of the weights over the last steps: a steadier student than the last step's.

Source: stochastic weight averaging, Izmailov et al. (2018), arXiv 1803.05407; here over
consecutive steps while the learning rate falls.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TailAverage:
    """A running mean of a model's trained weights, from step `first_step` on (counted from 1)."""

    def __init__(self, model: nn.Module, *, first_step: int) -> None:
        self._weights: list[Tensor] = [w for w in model.parameters() if w.requires_grad]
        self._first_step = first_step
        self._mean: list[Tensor] = []
        self._n = 0

    @torch.no_grad()
    def add(self, step: int) -> None:
        """Count the weights as they are after `step`."""
        if step < self._first_step:
            return
        self._n += 1
        if not self._mean:
            self._mean = [weight.detach().clone() for weight in self._weights]
        torch._foreach_lerp_(self._mean, self._weights, 1 / self._n)

    @torch.no_grad()
    def put_into_model(self) -> None:
        """Give the model the mean; without any step counted it keeps what it has."""
        for weight, mean in zip(self._weights, self._mean or self._weights, strict=True):
            weight.copy_(mean)
