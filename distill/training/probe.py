"""Where a head may start: at the linear classifier of what the base's body already tells.

A head drawn at random sends a sentence encoder large and senseless gradients, which spoil its
embedding before it is of use; few labels do not bring it back. So the head is fitted first, alone,
and then all is trained from there.

How much its weights are held back is settled by cross-validation on a part of the rows: the more of
the labels are wrong, the more. What both give: `docs/measurements.md`, "The recipe of categories"
and "A wrong teacher".

Source: LP-FT, Kumar et al. (2022), "Fine-Tuning can Distort Pretrained Features and Underperform
Out-of-Distribution", arXiv 2202.10054.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from distill.training.batches import Batch, Row, collate
from distill.training.model import TagModel
from distill.training.objectives import Objective

_INVERSE_PENALTIES = (0.03, 0.1, 0.3, 1.0)
"""`C` of scikit-learn's `LogisticRegression`: the sum of the squared weights costs 1 / 2C."""
_USUAL = 0.3
"""Where there are too few rows to choose by."""
_FOLDS = 3
_CHOOSING_ROWS = (30, 2000)
"""No fewer, and of more an even part."""
_ITERATIONS = 100
_CHOOSING_ITERATIONS = 30
_BATCH_ROWS = 64

_Read = Sequence[tuple[Tensor, Batch]]


def fit_head(
    model: TagModel, rows: Sequence[Row], objective: Objective, *, device: str = "cpu"
) -> float:
    """Fit the head in place on the rows; give the inverse penalty that was taken.

    The body is frozen, and nothing is dropped out.
    """
    read = list(_read(model, rows, device))
    inverse_penalty = _USUAL
    if len(rows) >= _CHOOSING_ROWS[0]:
        every = math.ceil(len(rows) / _CHOOSING_ROWS[1])
        inverse_penalty = _chosen(model.head, read[::every], objective)
    _fit(model.head, read, objective, inverse_penalty=inverse_penalty)
    return inverse_penalty


def _chosen(head: nn.Linear, read: _Read, objective: Objective) -> float:
    """Take the penalty by which the heads of the other folds foresee each fold best."""

    def missed(inverse_penalty: float) -> float:
        return sum(
            _missed(head, read, objective, fold=fold, inverse_penalty=inverse_penalty)
            for fold in range(_FOLDS)
        )

    return min(_INVERSE_PENALTIES, key=missed)


def _missed(
    head: nn.Linear, read: _Read, objective: Objective, *, fold: int, inverse_penalty: float
) -> float:
    others = [one for number, one in enumerate(read) if number % _FOLDS != fold]
    _fit(head, others, objective, inverse_penalty=inverse_penalty, most=_CHOOSING_ITERATIONS)
    with torch.no_grad():
        return float(_summed(head, read[fold::_FOLDS], objective))


def _fit(
    head: nn.Linear,
    read: _Read,
    objective: Objective,
    *,
    inverse_penalty: float,
    most: int = _ITERATIONS,
) -> None:
    for weight in head.parameters():
        nn.init.zeros_(weight)
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=most, line_search_fn="strong_wolfe")
    weights = sum(float(batch.weights.sum()) for _, batch in read)

    def step() -> float:
        optimizer.zero_grad()
        penalty = head.weight.square().sum() / (2 * inverse_penalty)
        loss = (_summed(head, read, objective) + penalty) / weights
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        return loss.item()

    optimizer.step(step)  # type: ignore[no-untyped-call]  # torch's own


def _summed(head: nn.Linear, read: _Read, objective: Objective) -> Tensor:
    """Sum the losses of all rows by their weights."""
    weights = torch.stack([batch.weights.sum() for _, batch in read])
    losses = torch.stack([objective.loss(head(features), batch) for features, batch in read])
    return (losses * weights).sum()


def _read(model: TagModel, rows: Sequence[Row], device: str) -> Iterator[tuple[Tensor, Batch]]:
    """Yield what the head reads of batches of rows, float32 [batch, width], and the batches."""
    by_length = sorted(rows, key=lambda row: len(row.ids))
    size = min(_BATCH_ROWS, math.ceil(len(rows) / (2 * _FOLDS)))  # two batches a fold, or more
    model.eval()
    with torch.no_grad():
        for start in range(0, len(rows), size):
            batch = collate(by_length[start : start + size]).to(device)
            hidden = model.body(batch.ids, batch.mask, batch.types)
            yield model.pool(hidden, batch.mask), batch
    model.train()
