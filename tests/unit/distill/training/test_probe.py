from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from distill.testing.tiny_base import write_tiny_base
from distill.training.base import load_base
from distill.training.batches import Row, TrainExample, collate
from distill.training.model import TagModel, build_model
from distill.training.objectives.categories import CategoryObjective
from distill.training.probe import fit_head
from schemas.categories import Choose, of_labels
from stream.student.encoding import Encoder

LABELS = ("glad", "sad")
WORDS = ["sun", "rain", "wind", "snow", "today", "again"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_base(tmp_path_factory.mktemp("base"), words=WORDS)


def a_model(base: Path, objective: CategoryObjective) -> TagModel:
    return build_model(
        load_base(str(base)),
        n_tags=objective.n_outputs,
        pool=objective.pool,
        layers="all",
        casing=True,
    ).train()


def some_rows(base: Path, objective: CategoryObjective) -> list[Row]:
    encoder = Encoder.from_bytes(
        load_base(str(base)).tokenizer_json, max_tokens=32, stride=0, casing=True
    )
    drawn = np.random.default_rng(0).integers(len(WORDS), size=(150, 4))
    texts = [" ".join(WORDS[word] for word in words) for words in drawn]
    examples = [
        TrainExample(text, (), categories=of_labels(["sad" if "rain" in text else "glad"]))
        for text in texts
    ]
    return objective.rows(examples, encoder)


@pytest.mark.parametrize("choose", ["one", "any"])
def test_the_head_is_the_logistic_regression_on_the_frozen_base(base: Path, choose: Choose) -> None:
    objective = CategoryObjective(LABELS, choose)
    model, rows = a_model(base, objective), some_rows(base, objective)

    taken = fit_head(model, rows, objective)

    # Of two labels to choose one of, each logit bears half of the weights: half of their penalty.
    expected = _reference(model, rows, inverse_penalty=2 * taken if choose == "one" else taken)
    assert np.abs(_probabilities(model, rows, choose) - expected).max() < 0.005


def test_the_more_labels_are_wrong_the_more_the_weights_are_held_back(base: Path) -> None:
    objective = CategoryObjective(LABELS, "one")
    rows = some_rows(base, objective)
    lot = np.random.default_rng(1).random(len(rows))
    coins = [
        replace(row, targets=row.targets[:, ::-1].copy()) if drawn < 0.5 else row
        for row, drawn in zip(rows, lot, strict=True)
    ]
    right, by_lot = (fit_head(a_model(base, objective), some, objective) for some in (rows, coins))
    assert by_lot < right


def test_of_few_rows_nothing_is_chosen(base: Path) -> None:
    objective = CategoryObjective(LABELS, "one")
    assert fit_head(a_model(base, objective), some_rows(base, objective)[:29], objective) == 0.3


def test_the_body_stays_as_it_was_and_goes_on_training(base: Path) -> None:
    objective = CategoryObjective(LABELS, "one")
    model, rows = a_model(base, objective), some_rows(base, objective)
    before = {name: weight.clone() for name, weight in model.body.state_dict().items()}

    fit_head(model, rows, objective)

    assert all(torch.equal(before[name], now) for name, now in model.body.state_dict().items())
    assert model.training


def test_a_row_that_weighs_little_says_little(base: Path) -> None:
    objective = CategoryObjective(LABELS, "one")
    rows = some_rows(base, objective)
    wrong = [replace(row, targets=row.targets[:, ::-1].copy(), weight=0.01) for row in rows]
    plain, outvoting = (a_model(base, objective) for _ in range(2))

    fit_head(plain, rows, objective)
    fit_head(outvoting, [*rows, *wrong], objective)

    apart = _probabilities(plain, rows, "one") - _probabilities(outvoting, rows, "one")
    assert np.abs(apart).max() < 0.05


def _read(model: TagModel, rows: list[Row]) -> torch.Tensor:
    batch = collate(rows)
    with torch.no_grad():
        return model.pool(model.eval().body(batch.ids, batch.mask, batch.types), batch.mask)


def _probabilities(model: TagModel, rows: list[Row], choose: Choose) -> np.ndarray:
    with torch.no_grad():
        logits = model.head(_read(model, rows))
    likely = logits.sigmoid() if choose == "any" else logits.softmax(dim=1)
    return np.asarray(likely[:, 1])


def _reference(model: TagModel, rows: list[Row], *, inverse_penalty: float) -> np.ndarray:
    features = np.asarray(_read(model, rows))
    regression = LogisticRegression(C=inverse_penalty, max_iter=1000)
    regression.fit(features, [int(row.targets[0, 1]) for row in rows])
    return np.asarray(regression.predict_proba(features)[:, 1])
