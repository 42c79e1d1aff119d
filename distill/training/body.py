"""The student's body: the first layers of an encoder of any family, ids to hidden states.

Layers are cut from the top: the lower ones carry what names need. What a text as a whole says is in
the last, so for categories none is cut. The casing channel rides on the type embedding: single
texts use only its row 0, so six rows that all start as row 0 leave the pretrained model as it was,
and training tells them apart. A family without type embeddings gets a table of nothing but zeros,
which is added to the word embeddings.
"""

from __future__ import annotations

import copy
from typing import Any, Literal

import torch
from torch import Tensor, nn

from distill.training.base import Base
from distill.training.families import FAMILIES, Family, cut
from schemas.errors import ConfigError
from stream.student.casing import N_CLASSES


class Body(nn.Module):
    """Encoder: [batch, tokens] ids, mask and casing to [batch, tokens, width] hidden states."""

    def __init__(self, config: Any, *, model_type: str, casing: bool) -> None:
        super().__init__()
        self.model_type = model_type
        self.config = config
        self.encoder = self.family.encoder(config)
        self.casings: nn.Embedding | None = None
        if casing and self.family.types is None:
            self.casings = nn.Embedding(N_CLASSES, self.words.embedding_dim)
            nn.init.zeros_(self.casings.weight)

    @property
    def family(self) -> Family:
        """What tells its family from the others."""
        return FAMILIES[self.model_type]

    @property
    def words(self) -> nn.Embedding:
        """The word embeddings."""
        words: nn.Embedding = self.encoder.get_input_embeddings()
        return words

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """Hidden states float32 [batch, tokens, width]; inputs are int64 [batch, tokens]."""
        inputs = self._embedded(input_ids, token_type_ids) | self._positions(input_ids)
        mask = attention_mask if self.family.parts is None else _additive(attention_mask)
        hidden: Tensor = self.encoder(**inputs, attention_mask=mask).last_hidden_state
        return hidden

    def _embedded(self, ids: Tensor, types: Tensor) -> dict[str, Tensor]:
        if self.family.types is not None:
            return {"input_ids": ids, "token_type_ids": types}
        words = self.words(ids)
        return {"inputs_embeds": words if self.casings is None else words + self.casings(types)}

    def _positions(self, ids: Tensor) -> dict[str, Tensor]:
        """Count from the family's first position; left to itself, one would count by padding."""
        first = self.family.first_position(self.config)
        if not first:
            return {}
        return {"position_ids": torch.arange(first, first + ids.shape[1], device=ids.device)[None]}


def _additive(mask: Tensor) -> Tensor:
    """[batch, tokens] of 1 and 0 to a float [batch, 1, tokens, tokens] to add to the scores.

    Ready-made, so that transformers builds none. A large finite number keeps a row of padding free
    of NaN.
    """
    hidden = (1.0 - mask[:, None, None, :].to(torch.float32)) * -1e4
    return hidden.expand(-1, -1, mask.shape[1], -1)


def build_body(base: Base, *, layers: int | Literal["all"], casing: bool, dropout: float) -> Body:
    """Start a body from `base`.

    Raises `ConfigError` when the base has fewer layers, or lacks weights.
    """
    has: int = base.config.num_hidden_layers
    kept = has if layers == "all" else layers
    if kept > has:
        raise ConfigError(f"recipe.layers is {kept}, but base {base.name!r} has {has} layers")
    config = _config(base, layers=kept, casing=casing, dropout=dropout)
    body = Body(config, model_type=base.model_type, casing=casing)
    _load(body, base)
    return body


def _config(base: Base, *, layers: int, casing: bool, dropout: float) -> Any:
    config = copy.deepcopy(base.config)
    cut(config, layers=layers)
    if casing and base.family.types is not None:
        config.type_vocab_size = N_CLASSES
    for name in base.family.dropouts:
        setattr(config, name, dropout)
    return config


def _load(body: Body, base: Base) -> None:
    state, types = dict(base.state), f"{base.family.types}.weight"
    if types in state and state[types].shape[0] != body.config.type_vocab_size:
        state[types] = state[types][:1].repeat(body.config.type_vocab_size, 1)
    missing, _ = body.encoder.load_state_dict(state, strict=False)  # what is cut off is left over
    if missing:
        raise ConfigError(f"base {base.name!r} lacks weights: {', '.join(missing[:3])}")
