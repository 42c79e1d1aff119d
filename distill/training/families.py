"""The families of encoders that a student can be cut from, and all that tells them apart.

One table: how a family's checkpoints name things, which of its variants are known, how many tokens
it has positions for, and whether its graph is written by hand (`distill.bundle.graph`) or traced
(`distill.bundle.traced`). Nothing else in `distill` asks for a family by name.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import transformers

_PLAIN_BERT: Mapping[str, Any] = MappingProxyType(
    {"hidden_act": "gelu", "position_embedding_type": "absolute", "is_decoder": False}
)
"""What the hand-written graph writes; BERT's defaults."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Where a BERT-like encoder keeps its weights: names of modules; `{}` is a layer's number."""

    positions: str = "embeddings.position_embeddings"
    norm: str = "embeddings.LayerNorm"
    projection: str = "embeddings_project"
    """Between embeddings and layers of another width; only ELECTRA has one."""
    layer: str = "encoder.layer.{}"
    query_key_value: tuple[str, str, str] = (
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
    )
    mixed: str = "attention.output.dense"
    mixed_norm: str = "attention.output.LayerNorm"
    inner: str = "intermediate.dense"
    outer: str = "output.dense"
    outer_norm: str = "output.LayerNorm"


_DISTILBERT_PARTS = Parts(
    layer="transformer.layer.{}",
    query_key_value=("attention.q_lin", "attention.k_lin", "attention.v_lin"),
    mixed="attention.out_lin",
    mixed_norm="sa_layer_norm",
    inner="ffn.lin1",
    outer="ffn.lin2",
    outer_norm="output_layer_norm",
)


def _from_nought(_: Any) -> int:
    return 0


def _after_padding(config: Any) -> int:
    return int(config.pad_token_id) + 1


def _after_mpnets_padding(_: Any) -> int:
    return 2  # its padding's place is 1, whatever the configuration says


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A family of encoders.

    `stem` begins the names of its classes in `transformers`, `prefix` those of the weights in a
    checkpoint with a head on top. `expected` are the values of the configuration that are known
    here. `first_position` is the row of the position table that a text's first token gets.
    Without `parts` the graph is traced. `types` is the module of the type embeddings, which carry
    the casing; a family without gets a table for it. `options` go to the model's class.
    """

    name: str
    stem: str
    prefix: str
    expected: Mapping[str, Any] = field(default_factory=dict)
    first_position: Callable[[Any], int] = _from_nought
    has_limit: Callable[[Any], bool] = lambda _: True
    parts: Parts | None = Parts()
    types: str | None = "embeddings.token_type_embeddings"
    dropouts: tuple[str, ...] = ("hidden_dropout_prob", "attention_probs_dropout_prob")
    options: Mapping[str, Any] = field(default_factory=dict)

    def config(self, values: Mapping[str, Any]) -> Any:
        """Make its configuration of the values of a `config.json`."""
        return _theirs(f"{self.stem}Config")(**values)

    def encoder(self, config: Any) -> Any:
        """Make an encoder with weights drawn at random."""
        if self.parts is None:
            config._attn_implementation = "eager"  # noqa: SLF001 - their switch; it can be traced
        return _theirs(f"{self.stem}Model")(config, **self.options)

    def max_tokens(self, config: Any) -> int | None:
        """How long a window can be, special tokens included; None: as long as you like."""
        if not self.has_limit(config):
            return None
        return int(config.max_position_embeddings) - self.first_position(config)


_NO_POOLER = MappingProxyType({"add_pooling_layer": False})


def _roberta(name: str, stem: str) -> Family:
    return Family(
        name=name,
        stem=stem,
        prefix="roberta",
        expected=_PLAIN_BERT,
        first_position=_after_padding,
        options=_NO_POOLER,
    )


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "bert": Family(
            name="BERT", stem="Bert", prefix="bert", expected=_PLAIN_BERT, options=_NO_POOLER
        ),
        "distilbert": Family(
            name="DistilBERT",
            stem="DistilBert",
            prefix="distilbert",
            expected=MappingProxyType({"activation": "gelu"}),
            parts=_DISTILBERT_PARTS,
            types=None,
            dropouts=("dropout", "attention_dropout"),
        ),
        "roberta": _roberta("RoBERTa", "Roberta"),
        "xlm-roberta": _roberta("XLM-R", "XLMRoberta"),
        "camembert": _roberta("CamemBERT", "Camembert"),
        "mpnet": Family(
            name="MPNet",
            stem="MPNet",
            prefix="mpnet",
            first_position=_after_mpnets_padding,
            parts=None,
            types=None,
            options=_NO_POOLER,
        ),
        "electra": Family(name="ELECTRA", stem="Electra", prefix="electra", expected=_PLAIN_BERT),
        "deberta-v2": Family(
            name="DeBERTa-v3",
            stem="DebertaV2",
            prefix="deberta",
            expected=MappingProxyType({"conv_kernel_size": 0}),
            has_limit=lambda config: bool(config.position_biased_input),
            parts=None,
            types=None,
        ),
        "modernbert": Family(
            name="ModernBERT",
            stem="ModernBert",
            prefix="model",
            parts=None,
            types=None,
            dropouts=("embedding_dropout", "attention_dropout", "mlp_dropout"),
        ),
    }
)
"""By `model_type`, as a `config.json` has it."""


def family_names() -> str:
    """Name the families, for people."""
    return ", ".join(family.name for family in FAMILIES.values())


def cut(config: Any, *, layers: int) -> None:
    """Leave only the first `layers` layers in the configuration."""
    config.num_hidden_layers = layers
    if getattr(config, "layer_types", None):  # ModernBERT: which layers look far
        config.layer_types = config.layer_types[:layers]


def _theirs(name: str) -> Any:
    with warnings.catch_warnings():
        # DeBERTa's module scripts a few functions as it is imported.
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        return getattr(transformers, name)
