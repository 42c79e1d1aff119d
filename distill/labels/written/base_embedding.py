"""Sentence vectors of the student's base: the mean of its last layer's tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from tokenizers import Tokenizer

from distill.labels.written.diversity import Float32
from distill.training.base import load_base
from distill.training.body import build_body
from distill.training.pooling import mean_of_tokens
from distill.training.threads import torch_threads

_BATCH = 64
_MAX_TOKENS = 128


def base_embedder(name: str, *, threads: int = 1) -> Callable[[Sequence[str]], Float32]:
    """Load a base; give what makes unit vectors float32 [n, width] of n texts.

    It uses as many threads of torch. Of long texts the first 128 tokens count. Raises
    `ConfigError` as `load_base`.
    """
    base = load_base(name)
    body = build_body(base, layers="all", casing=False, dropout=0.0).eval()
    tokenizer = Tokenizer.from_buffer(base.tokenizer_json)
    tokenizer.enable_truncation(_MAX_TOKENS)
    tokenizer.enable_padding()

    def embed(texts: Sequence[str]) -> Float32:
        parts = [texts[at : at + _BATCH] for at in range(0, len(texts), _BATCH)]
        with torch.inference_mode(), torch_threads(threads):
            vectors = [_vectors(body, tokenizer, part) for part in parts]
        width = body.words.embedding_dim
        return np.concatenate([np.zeros((0, width), dtype=np.float32), *vectors])

    return embed


def _vectors(body: torch.nn.Module, tokenizer: Tokenizer, texts: Sequence[str]) -> Float32:
    encoded = tokenizer.encode_batch(list(texts))
    ids = torch.tensor([one.ids for one in encoded])
    mask = torch.tensor([one.attention_mask for one in encoded])
    pooled = mean_of_tokens(body(ids, mask, torch.zeros_like(ids)), mask)
    unit: Float32 = torch.nn.functional.normalize(pooled, dim=1).numpy()
    return unit
