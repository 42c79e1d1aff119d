"""Keepsakes of version 0.1.0, which every later version reads (`make_keepsakes.py.txt`)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

Read = Callable[[str], Any]
Plain = Callable[[Any, Any], Any]


@pytest.fixture(scope="session")
def kept() -> Path:
    """The folder of what 0.1.0 left."""
    return Path(__file__).parent / "v0_1_0"


@pytest.fixture(scope="session")
def read(kept: Path) -> Read:
    """Read one of the JSON files."""
    return lambda name: json.loads((kept / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def plain() -> Plain:
    """Turn a value into JSON `like` a kept one: names that it lacks are newer and left out."""

    def as_json(value: Any, like: Any) -> Any:
        if isinstance(value, BaseModel):
            value = {name: getattr(value, name) for name in type(value).model_fields}
        if is_dataclass(value) and not isinstance(value, type):
            value = asdict(value)
        if isinstance(value, dict) and isinstance(like, dict):
            return {name: as_json(value[name], like[name]) for name in like if name in value}
        if isinstance(value, list | tuple):
            likes = like if isinstance(like, list) and len(like) == len(value) else value
            return [as_json(*pair) for pair in zip(value, likes, strict=True)]
        return _atom(value)

    return as_json


def _atom(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value) if isinstance(value, Path) else value
