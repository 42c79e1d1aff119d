from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from distill.testing.tiny_base import write_tiny_base
from distill.testing.tiny_families import write_tiny_family
from distill.training.base import load_base
from distill.training.batches import TrainExample
from distill.training.body import build_body
from distill.training.families import FAMILIES
from distill.training.placement import Placement
from distill.training.train import train
from schemas.errors import ConfigError
from schemas.files.task import LabelSpec, Task
from schemas.settings import Recipe
from schemas.types import Entity

TEXTS = ["Ada met Bob in town", "Bob saw Ada again"]
EXAMPLES = [TrainExample(TEXTS[0], (Entity(0, 3, "PER", "Ada"),)), TrainExample(TEXTS[1], ())]
TASK = Task(name="people", language="en", labels=(LabelSpec("PER"),))
LIMITS = dict.fromkeys(FAMILIES, 66) | {
    "roberta": 64,
    "xlm-roberta": 64,
    "camembert": 64,
    "mpnet": 64,
    "deberta-v2": None,
}


@pytest.mark.parametrize("model_type", FAMILIES)
def test_a_base_of_each_family_is_cut_and_keeps_its_weights(
    model_type: str, tmp_path: Path
) -> None:
    base = load_base(str(write_tiny_family(tmp_path, model_type, texts=TEXTS)))

    body = build_body(base, layers=2, casing=True, dropout=0.1)

    kept = body.encoder.state_dict()
    types = f"{base.family.types}.weight"
    assert all(torch.equal(kept[name], base.state[name]) for name in kept if name != types)
    assert len(kept) < len(base.state)
    assert base.family.max_tokens(base.config) == LIMITS[model_type]


@pytest.mark.parametrize("model_type", FAMILIES)
def test_each_family_trains_in_bf16(model_type: str, tmp_path: Path) -> None:
    base = write_tiny_family(tmp_path, model_type, texts=TEXTS)
    recipe = Recipe(base=str(base), layers=2, min_steps=3, epochs=1, max_tokens=32, stride=4)

    trained = train(
        EXAMPLES, task=TASK, recipe=recipe, seed=0, placement=Placement("cpu", bf16=True)
    )

    assert all(weight.dtype == torch.float32 for weight in trained.model.parameters())
    assert all(weight.isfinite().all() for weight in trained.model.parameters())


def test_a_window_longer_than_the_base_has_positions_for_is_refused(tmp_path: Path) -> None:
    base = write_tiny_family(tmp_path, "roberta", texts=TEXTS)

    with pytest.raises(ConfigError, match=r"max_tokens is 65.*64 tokens"):
        train(EXAMPLES, task=TASK, recipe=Recipe(base=str(base), max_tokens=65), seed=0)


def test_an_unknown_family_is_told_which_there_are(tmp_path: Path) -> None:
    folder = write_tiny_base(tmp_path)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "t5"}), encoding="utf-8")

    with pytest.raises(ConfigError, match=r"'t5'.*BERT, DistilBERT, RoBERTa.*ModernBERT"):
        load_base(str(folder))


def test_a_base_without_a_fast_tokenizer_is_told_what_to_do(tmp_path: Path) -> None:
    folder = write_tiny_base(tmp_path)
    (folder / "tokenizer.json").unlink()

    with pytest.raises(ConfigError, match=r"no readable tokenizer\.json.*DeBERTa-v3.*tasks\.md"):
        load_base(str(folder))


def test_the_gammas_and_betas_of_old_checkpoints_are_read(tmp_path: Path) -> None:
    folder = write_tiny_base(tmp_path)
    state = load_file(folder / "model.safetensors")
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): value
        for name, value in state.items()
    }
    save_file(old, folder / "model.safetensors")

    assert load_base(str(folder)).state.keys() == state.keys()
