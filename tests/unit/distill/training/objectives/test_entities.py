from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from distill.testing.tiny_base import write_tiny_base
from distill.training.base import load_base
from distill.training.batches import Row, TrainExample, collate
from distill.training.objectives.entities import EntityObjective
from schemas.types import Entity
from stream.student.encoding import Encoder


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder: Path = write_tiny_base(tmp_path_factory.mktemp("base"), words=["ada", "in", "oslo"])
    return load_base(str(folder)).tokenizer_json


def _rows(tokenizer: bytes, *examples: TrainExample, max_tokens: int = 32) -> list[Row]:
    encoder = Encoder.from_bytes(tokenizer, max_tokens=max_tokens, stride=0, casing=True)
    return EntityObjective(["PER", "LOC"]).rows(examples, encoder)


def test_a_tag_stands_on_each_words_first_piece_only(tokenizer: bytes) -> None:
    example = TrainExample("Ada in Rom", (Entity(0, 3, "PER", "Ada"), Entity(7, 10, "LOC", "Rom")))

    (row,) = _rows(tokenizer, example)

    # [CLS] ada in r ##o ##m [SEP]
    assert row.is_word.tolist() == [False, True, True, True, False, False, False]
    assert row.targets.tolist() == [1, 0, 3]


def test_a_blank_text_has_no_row(tokenizer: bytes) -> None:
    assert _rows(tokenizer, TrainExample("  ", ())) == []


def test_every_word_of_a_long_text_is_learnt_once(tokenizer: bytes) -> None:
    text = " ".join(["oslo"] * 50)
    entities = (Entity(0, 4, "LOC", "oslo"), Entity(245, 249, "LOC", "oslo"))

    rows = _rows(tokenizer, TrainExample(text, entities, 0.5), max_tokens=10)

    tags = np.concatenate([row.targets for row in rows])
    assert len(rows) == 7
    assert len(tags) == 50
    assert (tags > 0).sum() == 2
    assert {row.weight for row in rows} == {0.5}


def test_words_without_a_tag_may_be_of_a_label_that_was_not_asked_about(tokenizer: bytes) -> None:
    objective = EntityObjective(["PER", "LOC"])
    encoder = Encoder.from_bytes(tokenizer, max_tokens=32, stride=0, casing=True)
    ada = TrainExample("Ada in Oslo", (Entity(0, 3, "PER", "Ada"),))
    asked, unasked = (
        collate(objective.rows([one], encoder))
        for one in (ada, replace(ada, unasked=frozenset({"LOC"})))
    )
    assert asked.targets.tolist() == [1, 0, 0]
    assert unasked.targets.tolist() == [1, -1, -1]
    # O, B-PER, I-PER, B-LOC, I-LOC: a third word that is surely a place.
    logits = torch.zeros(1, 5, 5)
    logits[0, 3, 3] = 8.0
    log_probs = torch.log_softmax(logits[0, 3], 0)
    wrong = objective.loss(logits, asked).item() * 3
    right = objective.loss(logits, unasked).item() * 3
    per = np.log(5)
    assert wrong == pytest.approx(per + np.log(5) - log_probs[0].item(), rel=1e-5)
    of_these = torch.logsumexp(log_probs[[0, 3, 4]], 0).item()
    assert right == pytest.approx(per + np.log(5 / 3) - of_these, rel=1e-5)
