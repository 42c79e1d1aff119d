from __future__ import annotations

import torch

from distill.training.pooling import each_token, mean_of_tokens

HIDDEN = torch.tensor([[[1.0, 4.0], [3.0, 0.0], [50.0, 50.0]]])
MASK = torch.tensor([[1, 1, 0]])


def test_a_mean_is_of_all_tokens_but_padding() -> None:
    assert mean_of_tokens(HIDDEN, MASK).tolist() == [[2.0, 2.0]]


def test_each_token_stays_as_it_is() -> None:
    assert each_token(HIDDEN, MASK) is HIDDEN
