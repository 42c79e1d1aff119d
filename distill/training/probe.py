"""Where a head may start: at the linear classifier of what the base's body already tells.

A head drawn at random sends a sentence encoder large and senseless gradients, which spoil its
embedding before it is of use; few labels do not bring it back. So the head is fitted first, alone,
and then all is trained from there.

What it gives: `docs/measurements.md`, "The recipe of categories".

Source: LP-FT, Kumar et al. (2022), "Fine-Tuning can Distort Pretrained Features and Underperform
Out-of-Distribution", arXiv 2202.10054.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from distill.training.batches import Batch, Row, collate
from distill.training.model import TagModel
from distill.training.objectives import Objective

_INVERSE_PENALTY = 0.3
"""`C` of scikit-learn's `LogisticRegression`: the sum of the squared weights costs 1 / 2C."""
_ITERATIONS = 100
_BATCH_ROWS = 64


def fit_head(
    model: TagModel, rows: Sequence[Row], objective: Objective, *, device: str = "cpu"
) -> None:
    """Fit the head in place on the rows: the body is frozen, and nothing is dropped out."""
    read = list(_read(model, rows, device))
    for weight in model.head.parameters():
        nn.init.zeros_(weight)
    optimizer = torch.optim.LBFGS(
        model.head.parameters(), max_iter=_ITERATIONS, line_search_fn="strong_wolfe"
    )

    def step() -> float:
        optimizer.zero_grad()
        loss = _penalised(model.head, read, objective)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        return loss.item()

    optimizer.step(step)  # type: ignore[no-untyped-call]  # torch's own


def _read(model: TagModel, rows: Sequence[Row], device: str) -> Iterator[tuple[Tensor, Batch]]:
    """Yield what the head reads of batches of rows, float32 [batch, width], and the batches."""
    by_length = sorted(rows, key=lambda row: len(row.ids))
    model.eval()
    with torch.no_grad():
        for start in range(0, len(rows), _BATCH_ROWS):
            batch = collate(by_length[start : start + _BATCH_ROWS]).to(device)
            hidden = model.body(batch.ids, batch.mask, batch.types)
            yield model.pool(hidden, batch.mask), batch
    model.train()


def _penalised(
    head: nn.Linear, read: Sequence[tuple[Tensor, Batch]], objective: Objective
) -> Tensor:
    """Mean loss of all rows by their weights, and of the head's penalty its share."""
    weights = torch.stack([batch.weights.sum() for _, batch in read])
    losses = torch.stack([objective.loss(head(features), batch) for features, batch in read])
    penalty = head.weight.square().sum() / (2 * _INVERSE_PENALTY)
    return ((losses * weights).sum() + penalty) / weights.sum()
