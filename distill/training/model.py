"""The student's network: a body, and a linear head on its tokens or their mean."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from distill.training.base import Base
from distill.training.body import Body, build_body
from distill.training.pooling import Pool, each_token


class TagModel(nn.Module):
    """[batch, tokens] ids, mask and casing to the logits of what `pool` lets the head read."""

    def __init__(
        self, body: Body, *, n_tags: int, pool: Pool = each_token, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.pool = pool
        self.body = body
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(body.config.hidden_size, n_tags)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """Logits float32 [batch, tokens, tags], or [batch, tags] of a mean; inputs are int64."""
        hidden = self.body(input_ids, attention_mask, token_type_ids)
        logits: Tensor = self.head(self.dropout(self.pool(hidden, attention_mask)))
        return logits


def build_model(
    base: Base,
    *,
    n_tags: int,
    pool: Pool = each_token,
    layers: int | Literal["all"],
    casing: bool,
    dropout: float = 0.1,
) -> TagModel:
    """Start a model from `base`; the head is drawn from torch's global generator.

    Raises `ConfigError` when the base has fewer layers, or lacks weights.
    """
    body = build_body(base, layers=layers, casing=casing, dropout=dropout)
    return TagModel(body, n_tags=n_tags, pool=pool, dropout=dropout)
