"""Texts as unit vectors: by the student's base where it is installed, else by their characters."""

from __future__ import annotations

import importlib.util
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from distill.labels.written.diversity import Float32, words_of
from schemas.settings import RecipeSettings

_WIDTH = 512
_GRAM = 3
_WORTH_A_BASE = 200


@dataclass(frozen=True, slots=True)
class Embedding:
    """`embed` makes unit vectors float32 [n, width] of n texts; `by` says what they tell apart."""

    by: Literal["base", "lexical"]
    embed: Callable[[Sequence[str]], Float32]


def embedding_of(recipe: RecipeSettings, *, n: int) -> Embedding:
    """Choose the base's sentence vectors where torch is installed, else lexical ones.

    For fewer than 200 texts (`n`) these are enough: to load the base would take longer than all
    the rest. Raises `ConfigError` for a base that cannot be loaded.
    """
    if n < _WORTH_A_BASE or importlib.util.find_spec("torch") is None:
        return LEXICAL
    # Slow to import, and not in every installation.
    from distill.labels.written.base_embedding import base_embedder  # noqa: PLC0415

    return Embedding("base", base_embedder(recipe.base, threads=recipe.threads))


def lexical(texts: Sequence[str]) -> Float32:
    """Hash words and their three-character parts into unit vectors [n, 512]."""
    vectors = np.zeros((len(texts), _WIDTH), dtype=np.float32)
    for vector, text in zip(vectors, texts, strict=True):
        for part in _parts(text):
            code = zlib.crc32(part.encode())
            vector[code % _WIDTH] += 1.0 if code >> 31 else -1.0
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Float32 = vectors / np.maximum(lengths, np.float32(1e-9))
    return unit


LEXICAL = Embedding("lexical", lexical)


def _parts(text: str) -> list[str]:
    parts = list[str]()
    for word in words_of(text):
        edged = f"<{word}>"
        parts += [word, *(edged[at : at + _GRAM] for at in range(len(edged) - _GRAM + 1))]
    return parts
