"""A base encoder small enough for tests: drawn at random, a few kilobytes, trained in seconds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def write_tiny_base(
    folder: Path, *, words: Iterable[str] = (), layers: int = 2, width: int = 32, seed: int = 0
) -> Path:
    """Write a BERT base that `distill.training.base.load_base` reads, and return its folder.

    It knows `words` (lower-cased) as one piece each and spells all others; its four heads
    share the `width`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(words)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=2 * width,
        max_position_embeddings=128,
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps(config.to_dict()), encoding="utf-8")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertModel(config, add_pooling_layer=False)  # type: ignore[no-untyped-call]  # theirs
    save_file(model.state_dict(), folder / "model.safetensors")
    return folder


def _tokenizer(words: Iterable[str]) -> Tokenizer:
    pieces = [*_CHARACTERS, *(f"##{character}" for character in _CHARACTERS), *".,;:!?-'"]
    known = dict.fromkeys([*_SPECIAL, *pieces, *(word.lower() for word in words)])
    vocabulary = {piece: number for number, piece in enumerate(known)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106 - no secret
    tokenizer.add_special_tokens(list(_SPECIAL))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer
