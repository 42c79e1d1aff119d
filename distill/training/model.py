"""The student's network: the first layers of a BERT, and a linear head on its tokens or their mean.

Layers are cut from the top: the lower ones carry what names need. The casing channel rides on the
type embedding: single texts use only its row 0, so six rows that all start as row 0 leave the
pretrained model as it was, and training tells them apart.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from distill.training.base import Base
from distill.training.pooling import Pool, each_token
from schemas.errors import ConfigError
from stream.student.casing import N_CLASSES

_TYPES = "embeddings.token_type_embeddings.weight"


class TagModel(nn.Module):
    """[batch, tokens] ids, mask and casing to the logits of what `pool` lets the head read."""

    def __init__(
        self, config: BertConfig, *, n_tags: int, pool: Pool = each_token, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.pool = pool
        self.bert = BertModel(config, add_pooling_layer=False)  # type: ignore[no-untyped-call]  # theirs
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(config.hidden_size, n_tags)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """Logits float32 [batch, tokens, tags], or [batch, tags] of a mean; inputs are int64."""
        hidden = self.bert(
            input_ids=input_ids,
            attention_mask=_additive(attention_mask),
            token_type_ids=token_type_ids,
        ).last_hidden_state
        logits: Tensor = self.head(self.dropout(self.pool(hidden, attention_mask)))
        return logits


def _additive(mask: Tensor) -> Tensor:
    """[batch, tokens] of 1 and 0 to a float [batch, 1, tokens, tokens] to add to the scores.

    Ready-made, so that transformers builds none: its builder branches on values of the mask,
    which an exporter cannot follow. A large finite number keeps a row of padding free of NaN.
    """
    hidden = (1.0 - mask[:, None, None, :].to(torch.float32)) * -1e4
    return hidden.expand(-1, -1, mask.shape[1], -1)


def build_model(
    base: Base,
    *,
    n_tags: int,
    pool: Pool = each_token,
    layers: int,
    casing: bool,
    dropout: float = 0.1,
) -> TagModel:
    """Start a model from `base`; the head is drawn from torch's global generator.

    Raises `ConfigError` when the base has fewer layers, or lacks weights.
    """
    if layers > base.config.num_hidden_layers:
        raise ConfigError(
            f"recipe.layers is {layers}, but base {base.name!r} has "
            f"{base.config.num_hidden_layers} layers"
        )
    config = _config(base.config, layers=layers, casing=casing, dropout=dropout)
    model = TagModel(config, n_tags=n_tags, pool=pool, dropout=dropout)
    _load(model, base, config)
    return model


def _config(base: BertConfig, *, layers: int, casing: bool, dropout: float) -> BertConfig:
    changes = {
        "num_hidden_layers": layers,
        "type_vocab_size": N_CLASSES if casing else base.type_vocab_size,
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
    }
    return BertConfig(**(base.to_dict() | changes))


def _load(model: TagModel, base: Base, config: BertConfig) -> None:
    state = dict(base.state)
    if _TYPES in state and state[_TYPES].shape[0] != config.type_vocab_size:
        state[_TYPES] = state[_TYPES][:1].repeat(config.type_vocab_size, 1)
    missing, _ = model.bert.load_state_dict(state, strict=False)  # what is cut off is left over
    if missing:
        raise ConfigError(f"base {base.name!r} lacks weights: {', '.join(missing[:3])}")
