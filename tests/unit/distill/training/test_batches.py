from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from distill.testing.tiny_base import write_tiny_base
from distill.training.base import load_base
from distill.training.batches import (
    IGNORED,
    Row,
    TrainExample,
    collate,
    draw_batches,
    encode_rows,
)
from schemas.bio import tag_names
from schemas.types import Entity
from stream.student.encoding import Encoder

TAGS = tag_names(["PER", "LOC"])


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder: Path = write_tiny_base(tmp_path_factory.mktemp("base"), words=["ada", "in", "oslo"])
    return load_base(str(folder)).tokenizer_json


def _rows(tokenizer: bytes, *examples: TrainExample, max_tokens: int = 32) -> list[Row]:
    encoder = Encoder.from_bytes(tokenizer, max_tokens=max_tokens, stride=0, casing=True)
    return encode_rows(examples, encoder=encoder, tags=TAGS)


def _row(n_tokens: int, *, weight: float = 1.0) -> Row:
    ids = np.full(n_tokens, 7)
    return Row(ids, np.ones(n_tokens, np.int64), np.zeros(n_tokens, np.int64), weight)


def test_a_tag_stands_on_each_words_first_piece_only(tokenizer: bytes) -> None:
    example = TrainExample("Ada in Rom", (Entity(0, 3, "PER", "Ada"), Entity(7, 10, "LOC", "Rom")))

    (row,) = _rows(tokenizer, example)

    # [CLS] ada in r ##o ##m [SEP]
    assert row.tags.tolist() == [IGNORED, 1, 0, 3, IGNORED, IGNORED, IGNORED]


def test_a_blank_text_has_no_row(tokenizer: bytes) -> None:
    assert _rows(tokenizer, TrainExample("  ", ())) == []


def test_every_word_of_a_long_text_is_learnt_once(tokenizer: bytes) -> None:
    text = " ".join(["oslo"] * 50)
    entities = (Entity(0, 4, "LOC", "oslo"), Entity(245, 249, "LOC", "oslo"))

    rows = _rows(tokenizer, TrainExample(text, entities, 0.5), max_tokens=10)

    tags = np.concatenate([row.tags for row in rows])
    assert len(rows) == 7
    assert (tags != IGNORED).sum() == 50
    assert (tags > 0).sum() == 2
    assert {row.weight for row in rows} == {0.5}


def test_padding_is_masked_and_carries_no_tag() -> None:
    batch = collate([_row(2), _row(4, weight=0.25)])

    assert batch.mask.tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert batch.tags[0].tolist() == [0, 0, IGNORED, IGNORED]
    assert batch.ids[0].tolist() == [7, 7, 0, 0]
    assert batch.weights.tolist() == [1.0, 0.25]


def test_an_epoch_sees_every_row_once_and_wastes_little() -> None:
    lengths = [3 + i % 40 for i in range(200)]
    rows = [_row(n) for n in lengths]

    batches = list(draw_batches(rows, size=8, generator=np.random.default_rng(0)))

    seen = sorted(int(row.sum()) for batch in batches for row in batch.mask)
    assert seen == sorted(lengths)
    assert sum(batch.mask.numel() for batch in batches) < 1.25 * sum(lengths)
