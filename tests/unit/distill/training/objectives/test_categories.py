from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from distill.testing.tiny_base import write_tiny_base
from distill.training.base import load_base
from distill.training.batches import TrainExample, collate
from distill.training.objectives.categories import CategoryObjective
from schemas.categories import Choose, of_labels
from schemas.errors import ConfigError
from schemas.settings import Recipe
from stream.student.encoding import Encoder

LABELS = ("joy", "fear", "anger")
ONE, ANY = CategoryObjective(LABELS, "one"), CategoryObjective(LABELS, "any")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    folder: Path = write_tiny_base(tmp_path_factory.mktemp("base"), words=["oslo", "is"])
    tokenizer = load_base(str(folder)).tokenizer_json
    return Encoder.from_bytes(tokenizer, max_tokens=10, stride=0, casing=True)


def an_example(*labels: str, text: str = "oslo is oslo", weight: float = 1.0) -> TrainExample:
    return TrainExample(text, (), weight, of_labels(labels))


def test_the_target_is_the_texts_labels_in_the_order_of_the_task(encoder: Encoder) -> None:
    rows = ANY.rows([an_example("anger", "joy"), an_example()], encoder)
    assert [row.targets.tolist() for row in rows] == [[[1, 0, 1]], [[0, 0, 0]]]
    assert rows[0].is_word.tolist() == [False, True, True, True, False]


def test_windows_share_their_texts_weight(encoder: Encoder) -> None:
    rows = ONE.rows([an_example("fear", text="oslo " * 20, weight=0.5)], encoder)
    assert [len(row.ids) for row in rows] == [10, 10, 6]
    assert [row.weight for row in rows] == pytest.approx([5 / 26, 5 / 26, 3 / 26])
    assert all(row.targets.tolist() == [[0, 1, 0]] for row in rows)


def test_a_blank_text_has_no_row(encoder: Encoder) -> None:
    assert ONE.rows([an_example(text="  ")], encoder) == []


@pytest.mark.parametrize("labels", [[], ["joy", "fear"], ["rain"]])
def test_what_is_no_answer_to_the_task_is_refused(encoder: Encoder, labels: list[str]) -> None:
    with pytest.raises(ConfigError, match="cannot be learnt"):
        ONE.rows([an_example(*labels)], encoder)


def test_every_epoch_has_the_same_rows(encoder: Encoder) -> None:
    generator = np.random.default_rng(0)
    epochs = ONE.epochs([an_example("joy")], encoder, recipe=Recipe(), generator=generator)
    assert next(epochs) == next(epochs)


@pytest.mark.parametrize(("choose", "expected"), [("one", np.log(3)), ("any", 3 * np.log(2))])
def test_logits_of_nought_cost_what_a_guess_costs(
    encoder: Encoder, choose: Choose, expected: float
) -> None:
    objective = CategoryObjective(LABELS, choose)
    batch = collate(objective.rows([an_example("joy"), an_example("fear")], encoder))
    assert objective.loss(torch.zeros(2, 3), batch).item() == pytest.approx(expected)


@pytest.mark.parametrize("objective", [ONE, ANY])
def test_a_row_counts_by_its_weight(encoder: Encoder, objective: CategoryObjective) -> None:
    rows = objective.rows([an_example("joy"), an_example("joy")], encoder)
    right, wrong = [9.0, -9.0, -9.0], [-9.0, 9.0, -9.0]
    logits = torch.tensor([right, wrong])
    even, light = (
        objective.loss(logits, collate([rows[0], replace(rows[1], weight=weight)])).item()
        for weight in (1.0, 0.01)
    )
    assert light < even / 10


def test_a_label_that_was_not_asked_about_is_marked(encoder: Encoder) -> None:
    example = replace(an_example("joy"), unasked=frozenset({"anger"}))
    (row,) = ANY.rows([example], encoder)
    assert row.targets.tolist() == [[1, 0, -1]]


def test_of_any_the_unasked_label_teaches_nothing(encoder: Encoder) -> None:
    example = replace(an_example("joy"), unasked=frozenset({"anger"}))
    batch = collate(ANY.rows([example], encoder))
    losses = [
        ANY.loss(torch.tensor([[2.0, -2.0, anger]]), batch).item() for anger in (-5.0, 0.0, 5.0)
    ]
    assert losses == pytest.approx([losses[0]] * 3)
    assert losses[0] == pytest.approx(2 * np.log1p(np.exp(-2)))


def test_of_one_the_unasked_label_may_be_the_right_one(encoder: Encoder) -> None:
    asked = collate(ONE.rows([an_example("joy")], encoder))
    example = replace(an_example("joy"), unasked=frozenset({"anger"}))
    unasked = collate(ONE.rows([example], encoder))
    logits = torch.tensor([[0.0, 0.0, 3.0]])
    of_joy, of_both = (-ONE.loss(logits, asked)).exp(), (-ONE.loss(logits, unasked)).exp()
    assert of_joy.item() == pytest.approx(1 / (2 + np.exp(3)), rel=1e-5)
    assert of_both.item() == pytest.approx((1 + np.exp(3)) / (2 + np.exp(3)), rel=1e-5)
