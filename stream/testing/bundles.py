"""Tiny real students: a table says how each word is tagged, and how surely.

Their answers can be checked by hand: a word of the table gets its tag with its certainty,
every other word O; a record's score is the lowest certainty among its words, and with the
default calibration its confidence equals the score (within [1e-6, 1 - 1e-6]). Words
are lower-cased, and split from each other at white space and punctuation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from schemas.bio import tag_names
from schemas.files.manifest import (
    MANIFEST_NAME,
    MODEL_NAME,
    TOKENIZER_NAME,
    Calibration,
    Manifest,
    manifest_bytes,
)
from stream.testing.onnx_table import table_model

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_LAST = "[MASK]"


def write_bundle(
    folder: Path,
    *,
    labels: Sequence[str],
    words: Mapping[str, str],
    certainty: float = 0.99,
    certainties: Mapping[str, float] | None = None,
    broken_words: Collection[str] = (),
    version: str = "v1",
    task: str = "test",
    task_digest: str = "0" * 64,
    max_tokens: int = 128,
    stride: int = 32,
    casing: bool = False,
    calibration: Calibration | None = None,
    metrics: Mapping[str, float] | None = None,
    lineage: Mapping[str, Any] | None = None,
) -> Manifest:
    """Write a student that tags `words` (word -> tag, like "B-PER") into `folder`.

    `certainties` (word -> probability of its tag) overrides `certainty`, also for words that
    are tagged O; each must be above 1 / tags, or another tag would win. A text
    with one of `broken_words` fails with `TaggingError`. Raises `ValueError` for
    a word that is not one lower-case token, an unknown tag, or a certainty out of range.
    """
    tags = tag_names(labels)
    sure = dict.fromkeys(words, certainty) | dict(certainties or {})
    vocabulary = [*_SPECIAL, *dict.fromkeys([*words, *sure, *broken_words]), _LAST]
    ids = {word: number for number, word in enumerate(vocabulary)}
    table = np.tile(_row("O", certainty, tags), (len(vocabulary), 1))
    for word, probability in sure.items():
        table[ids[word]] = _row(words.get(word, "O"), probability, tags)
    for word in broken_words:
        table[ids[word]] = np.inf
    files = {MODEL_NAME: table_model(table), TOKENIZER_NAME: _tokenizer_json(ids)}
    manifest = Manifest(
        version=version,
        task=task,
        task_digest=task_digest,
        labels=tuple(labels),
        files={name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        max_tokens=max_tokens,
        stride=stride,
        casing=casing,
        precision="fp32",
        calibration=calibration or Calibration(),
        metrics=dict(metrics or {}),
        lineage=dict(lineage or {}),
    )
    _write(folder, files | {MANIFEST_NAME: manifest_bytes(manifest)})
    return manifest


def _row(tag: str, probability: float, tags: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """Log-probabilities of one word: its tag's, and the rest shared by the other tags."""
    if tag not in tags:
        raise ValueError(f"{tag!r} is not one of the tags {tags}")
    if not 1 / len(tags) < probability < 1:
        raise ValueError(f"a certainty must be between 1/{len(tags)} and 1, not {probability}")
    row = np.full(len(tags), (1 - probability) / (len(tags) - 1))
    row[tags.index(tag)] = probability
    log_probabilities: npt.NDArray[np.float32] = np.log(row).astype(np.float32)
    return log_probabilities


def _tokenizer_json(ids: Mapping[str, int]) -> bytes:
    tokenizer = Tokenizer(WordPiece(dict(ids), unk_token="[UNK]"))  # noqa: S106 - no password
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    _check_words(tokenizer, [*ids][len(_SPECIAL) : -1])
    tokenizer.add_special_tokens([*_SPECIAL, _LAST])
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(x, ids[x]) for x in ("[CLS]", "[SEP]")]
    )
    return tokenizer.to_str().encode("utf-8")


def _check_words(tokenizer: Tokenizer, words: Sequence[str]) -> None:
    for word in words:
        if tokenizer.encode(word).tokens != [word]:
            raise ValueError(f"{word!r} is not one lower-case word without punctuation")


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
