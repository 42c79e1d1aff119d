"""What a network's head reads: each token, or the mean of a window's tokens.

A linear head on a mean is the mean of the head's logits, so texts of several windows can be pooled
by their logits (`stream.student.heads.categories`).
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Pool = Callable[[Tensor, Tensor], Tensor]
"""[batch, tokens, width] hidden states and [batch, tokens] mask to what the head reads."""


def each_token(hidden: Tensor, mask: Tensor) -> Tensor:  # noqa: ARG001 - padding is left to the loss
    """[batch, tokens, width], as they are."""
    return hidden


def mean_of_tokens(hidden: Tensor, mask: Tensor) -> Tensor:
    """[batch, width]: the mean of all tokens but padding, the special ones included."""
    weights = mask[:, :, None].to(hidden.dtype)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1)
