"""Tiny real students: a table says how each word is tagged, and how surely.

Their answers can be checked by hand: a word of the table gets its tag with its certainty,
every other word O; a record's score is the lowest certainty among its words, and with the
default calibration its confidence equals the score (within [1e-6, 1 - 1e-6]). Words
are lower-cased, and split from each other at white space and punctuation. Students of categories
(`write_category_bundle`) know them by words too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from schemas.bio import tag_names
from schemas.categories import Choose
from schemas.files.manifest import (
    MANIFEST_NAME,
    MODEL_NAME,
    TOKENIZER_NAME,
    Calibration,
    Manifest,
    manifest_bytes,
    of_kind,
)
from stream.testing.onnx_table import highest_model, table_model

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_LAST = "[MASK]"


class Described(TypedDict, total=False):
    """What the manifest says besides, see `Manifest`; what is left out is as `_USUAL` has it."""

    version: str
    task: str
    task_digest: str
    max_tokens: int
    stride: int
    casing: bool
    calibration: Calibration
    metrics: Mapping[str, float]
    lineage: Mapping[str, Any]


_USUAL: Described = {
    "version": "v1",
    "task": "test",
    "task_digest": "0" * 64,
    "max_tokens": 128,
    "stride": 32,
    "casing": False,
    "calibration": Calibration(),
    "metrics": {},
    "lineage": {},
}


def write_bundle(
    folder: Path,
    *,
    labels: Sequence[str],
    words: Mapping[str, str],
    certainty: float = 0.99,
    certainties: Mapping[str, float] | None = None,
    broken_words: Collection[str] = (),
    **described: Unpack[Described],
) -> Manifest:
    """Write a student that tags `words` (word -> tag, like "B-PER") into `folder`.

    `certainties` (word -> probability of its tag) overrides `certainty`, also for words that
    are tagged O; each must be above 1 / tags, or another tag would win. A text
    with one of `broken_words` fails with `TaggingError`. Raises `ValueError` for
    a word that is not one lower-case token, an unknown tag, or a certainty out of range.
    """
    tags = tag_names(labels)
    sure = dict.fromkeys(words, certainty) | dict(certainties or {})
    rows = {word: _row(words.get(word, "O"), sure[word], tags) for word in sure}
    ids, table = _table([*words, *sure], rows, _row("O", certainty, tags), broken_words)
    manifest = Manifest(**_fields(described, labels), kind="entities")
    return _write(folder, manifest, table_model(table), ids)


def write_category_bundle(
    folder: Path,
    *,
    labels: Sequence[str],
    choose: Choose,
    words: Mapping[str, str],
    certainty: float = 0.99,
    certainties: Mapping[str, float] | None = None,
    broken_words: Collection[str] = (),
    **described: Unpack[Described],
) -> Manifest:
    """Write a student that knows a text's categories by `words` (word -> label) into `folder`.

    To choose one: a text with a word of one label has this label, with the word's certainty (the
    highest, where there are several); without any, the first label, with that of a guess (1 /
    labels). To choose any: a text has the labels of its words, each with its word's certainty,
    and lacks the others with `certainty`. Otherwise as `write_bundle`.
    """
    guess = 1 / len(labels) if choose == "one" else 0.5
    sure = dict.fromkeys(words, certainty) | dict(certainties or {})
    _check_certainties([certainty, *sure.values()], least=guess)
    least = 0.0 if choose == "one" else -_log_odds(certainty)
    base = np.full(len(labels), least, dtype=np.float32)
    rows = {}
    for word, label in words.items():
        if label not in labels:
            raise ValueError(f"{label!r} is not one of the labels {tuple(labels)}")
        rows[word] = base.copy()
        others = np.log(len(labels) - 1) if choose == "one" else 0.0
        rows[word][list(labels).index(label)] = _log_odds(sure[word]) + others
    ids, table = _table([*words, *sure], rows, base, broken_words)
    manifest = Manifest(
        **_fields(described, labels),
        kind="categories",
        choose=choose,
        format=of_kind("categories"),
    )
    return _write(folder, manifest, highest_model(table), ids)


def _table(
    words: Sequence[str],
    rows: Mapping[str, npt.NDArray[np.float32]],
    others: npt.NDArray[np.float32],
    broken_words: Collection[str],
) -> tuple[dict[str, int], npt.NDArray[np.float32]]:
    """Give each word a number, and a row of the table."""
    vocabulary = [*_SPECIAL, *dict.fromkeys([*words, *broken_words]), _LAST]
    ids = {word: number for number, word in enumerate(vocabulary)}
    table = np.tile(others, (len(vocabulary), 1))
    for word, row in rows.items():
        table[ids[word]] = row
    for word in broken_words:
        table[ids[word]] = np.inf
    return ids, table


def _fields(described: Described, labels: Sequence[str]) -> dict[str, Any]:
    """Give the manifest's fields but its kind's, and the files, which are not written yet."""
    values: dict[str, Any] = {**_USUAL, **described}
    copies = {name: dict(values[name]) for name in ("metrics", "lineage")}
    return values | copies | {"labels": tuple(labels), "files": {}, "precision": "fp32"}


def _log_odds(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def _check_certainties(certainties: Sequence[float], *, least: float) -> None:
    for certainty in certainties:
        if not least < certainty < 1:
            raise ValueError(f"a certainty must be between {least:.3g} and 1, not {certainty}")


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


def _write(folder: Path, manifest: Manifest, model: bytes, ids: Mapping[str, int]) -> Manifest:
    files = {MODEL_NAME: model, TOKENIZER_NAME: _tokenizer_json(ids)}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    whole = replace(manifest, files=digests)
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in (files | {MANIFEST_NAME: manifest_bytes(whole)}).items():
        (folder / name).write_bytes(data)
    return whole
