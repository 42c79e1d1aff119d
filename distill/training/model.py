"""The student's network: a body (`distill.training.body`), and a linear head that names a tag."""

from __future__ import annotations

from torch import Tensor, nn

from distill.training.base import Base
from distill.training.body import Body, build_body


class TagModel(nn.Module):
    """Token classifier: [batch, tokens] ids, mask and casing to [batch, tokens, tags] logits."""

    def __init__(self, body: Body, *, n_tags: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.body = body
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(body.config.hidden_size, n_tags)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """Logits float32 [batch, tokens, tags]; inputs are int64 [batch, tokens]."""
        hidden = self.body(input_ids, attention_mask, token_type_ids)
        logits: Tensor = self.head(self.dropout(hidden))
        return logits


def build_model(
    base: Base, *, n_tags: int, layers: int, casing: bool, dropout: float = 0.1
) -> TagModel:
    """Start a model from `base`; the head is drawn from torch's global generator.

    Raises `ConfigError` when the base has fewer layers, or lacks weights.
    """
    body = build_body(base, layers=layers, casing=casing, dropout=dropout)
    return TagModel(body, n_tags=n_tags, dropout=dropout)
