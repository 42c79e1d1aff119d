from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from distill.testing.tiny_base import write_tiny_base
from distill.training.base import Base, load_base
from distill.training.model import build_model
from schemas.errors import ConfigError

IDS = torch.tensor([[2, 5, 6, 3]])
MASK = torch.ones_like(IDS)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return load_base(str(write_tiny_base(tmp_path_factory.mktemp("base"))))


def test_a_logit_per_token_and_tag(base: Base) -> None:
    model = build_model(base, n_tags=5, layers=2, casing=True)

    assert model(IDS, MASK, MASK).shape == (1, 4, 5)


def test_only_the_first_layers_are_kept(base: Base) -> None:
    model = build_model(base, n_tags=3, layers=1, casing=False)

    weights = dict(model.named_parameters())
    kept = "encoder.layer.0.output.dense.weight"
    assert torch.equal(weights[f"body.encoder.{kept}"], base.state[kept])
    assert not any(".layer.1." in name for name in weights)


def test_casing_classes_all_start_as_the_first_type(base: Base) -> None:
    model = build_model(base, n_tags=3, layers=2, casing=True).eval()

    outputs = [model(IDS, MASK, torch.full_like(IDS, casing)) for casing in range(6)]

    assert all(torch.equal(output, outputs[0]) for output in outputs)


def test_padding_changes_nothing(base: Base) -> None:
    model = build_model(base, n_tags=3, layers=2, casing=True).eval()
    padded = torch.tensor([[2, 5, 6, 3, 0, 0]])
    mask = (padded > 0).long()

    logits = model(padded, mask, torch.zeros_like(padded))[:, :4]

    torch.testing.assert_close(logits, model(IDS, MASK, torch.zeros_like(IDS)))


def test_more_layers_than_the_base_has_are_refused(base: Base) -> None:
    with pytest.raises(ConfigError, match="layers is 3"):
        build_model(base, n_tags=3, layers=3, casing=True)


def test_a_base_that_lacks_weights_is_refused(base: Base) -> None:
    broken = replace(base, state={})

    with pytest.raises(ConfigError, match="lacks weights"):
        build_model(broken, n_tags=3, layers=2, casing=True)
