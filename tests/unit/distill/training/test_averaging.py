from __future__ import annotations

import torch
from torch import nn

from distill.training.averaging import TailAverage


def _set(model: nn.Linear, value: float) -> None:
    with torch.no_grad():
        model.weight.fill_(value)


def test_the_mean_is_over_the_last_steps() -> None:
    model = nn.Linear(2, 1, bias=False)
    average = TailAverage(model, first_step=3)

    for step, value in enumerate([100.0, 100.0, 1.0, 2.0, 6.0], start=1):
        _set(model, value)
        average.add(step)
    average.put_into_model()

    torch.testing.assert_close(model.weight, torch.full((1, 2), 3.0))


def test_without_a_step_counted_the_weights_stay() -> None:
    model = nn.Linear(2, 1)
    before = model.weight.clone()
    average = TailAverage(model, first_step=10)

    average.add(9)
    average.put_into_model()

    assert torch.equal(model.weight, before)


def test_frozen_weights_are_left_alone() -> None:
    model = nn.Linear(2, 1)
    model.bias.requires_grad_(False)
    average = TailAverage(model, first_step=1)

    average.add(1)
    with torch.no_grad():
        model.bias.fill_(5.0)
    average.put_into_model()

    assert model.bias.item() == 5.0
