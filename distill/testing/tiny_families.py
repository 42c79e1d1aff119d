"""A tiny base of each family, drawn at random, with a tokenizer trained on the texts given.

Nothing is loaded down. The tokenizers are built as those of the families' best-known checkpoints.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import torch
from safetensors.torch import save_file
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from distill.training.families import FAMILIES

Kind = Literal["uncased wordpiece", "cased wordpiece", "bpe", "unigram"]

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "bert": "uncased wordpiece",
        "distilbert": "cased wordpiece",
        "roberta": "bpe",
        "xlm-roberta": "unigram",
        "camembert": "unigram",
        "mpnet": "uncased wordpiece",
        "electra": "uncased wordpiece",
        "deberta-v2": "unigram",
        "modernbert": "bpe",
    }
)
"""What tokenizer the checkpoints of each family mostly have."""

N_PIECES: Mapping[Kind, int] = MappingProxyType(
    {"uncased wordpiece": 130, "cased wordpiece": 130, "bpe": 350, "unigram": 200}
)
"""Few enough that a dozen sentences are not learnt as wholes."""

_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
_PAD = _SPECIAL.index("<pad>")
_WIDTH, _POSITIONS = 32, 66
_COMMON = {
    "hidden_size": _WIDTH,
    "num_attention_heads": 4,
    "intermediate_size": 2 * _WIDTH,
    "max_position_embeddings": _POSITIONS,
    "pad_token_id": _PAD,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
_OF_FAMILY: dict[str, dict[str, Any]] = {
    "distilbert": {"dim": _WIDTH, "n_heads": 4, "hidden_dim": 2 * _WIDTH},
    "electra": {"embedding_size": _WIDTH // 2},
    "deberta-v2": {
        "relative_attention": True,
        "position_buckets": 8,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False,
        "type_vocab_size": 0,
    },
    "modernbert": {"local_attention": 8, "cls_token_id": 0, "sep_token_id": 2},
}
_RENAMED = {"distilbert": {"num_hidden_layers": "n_layers"}}


def write_tiny_family(
    folder: Path, model_type: str, *, texts: Iterable[str], layers: int = 3, seed: int = 0
) -> Path:
    """Write a base of the family that `distill.training.base.load_base` reads; its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = trained_tokenizer(KINDS[model_type], texts)
    family = FAMILIES[model_type]
    values = _COMMON | _OF_FAMILY.get(model_type, {})
    values |= {"vocab_size": tokenizer.get_vocab_size()}
    values[_RENAMED.get(model_type, {}).get("num_hidden_layers", "num_hidden_layers")] = layers
    config = family.config(values)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = family.encoder(config)
    written = {"model_type": model_type, **config.to_dict()}
    (folder / "config.json").write_text(json.dumps(written), encoding="utf-8")
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file(_headed(model.state_dict(), family.prefix), folder / "model.safetensors")
    return folder


def _headed(state: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Names as in a checkpoint with a head on top, which the hub mostly has."""
    return {f"{prefix}.{name}": value.contiguous() for name, value in state.items()}


def trained_tokenizer(kind: Kind, texts: Iterable[str]) -> Tokenizer:
    """Train a tokenizer of the kind; it frames a text with `<s>` and `</s>`."""
    makers = {"bpe": _bpe, "unigram": _unigram}
    make = makers.get(kind, _wordpiece)
    tokenizer, trainer = make(N_PIECES[kind], lower="uncased" in kind)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def _wordpiece(n_pieces: int, *, lower: bool) -> tuple[Tokenizer, Any]:
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))  # noqa: S106 - no secret
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer, trainers.WordPieceTrainer(vocab_size=n_pieces, special_tokens=_SPECIAL)


def _bpe(n_pieces: int, *, lower: bool) -> tuple[Tokenizer, Any]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Lowercase() if lower else normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=n_pieces, special_tokens=_SPECIAL, initial_alphabet=alphabet
    )
    return tokenizer, trainer


def _unigram(n_pieces: int, *, lower: bool) -> tuple[Tokenizer, Any]:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), *([normalizers.Lowercase()] if lower else [])]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=n_pieces,
        special_tokens=_SPECIAL,
        unk_token="<unk>",  # noqa: S106 - no secret
    )
    return tokenizer, trainer
