"""The file of answers, where nobody is asked: YAML or JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from schemas.errors import ConfigError
from schemas.faults import validation_faults, yaml_fault
from stream.cli.wizard.wish import KEY_VARIABLE


class _Teacher(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str | None = None
    model: str | None = None
    price_in_usd_per_million: float | None = None
    price_out_usd_per_million: float | None = None
    api_key_env: str | None = None
    api_key: SecretStr | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str | None = None
    kind: str | None = None
    choose: str | None = None
    looking_for: str | None = None
    language: str | None = None
    labels: str | list[Any] | dict[str, Any] | None = None
    examples: list[Any] = []
    topic: str | None = None
    bootstrap_servers: str | list[str] | None = None
    teacher: str | _Teacher | None = None
    max_usd: float | None = None
    n_texts: int | None = None


def read_answers(path: Path) -> tuple[dict[str, Any], SecretStr | None]:
    """Read the answers by the keys of the questions, and the key of the teacher, if one is there.

    That one is for this process alone: no file gets it. Raises `ConfigError` with each fault.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the answers {path}: {error.strerror}") from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read the answers {path}: {yaml_fault(error)}") from None
    try:
        file = _File.model_validate(values)
    except ValidationError as error:
        faults = validation_faults(error, whole="answers")
        raise ConfigError("; ".join(f"{path}: {fault}" for fault in faults)) from None
    return _by_question(file), file.teacher.api_key if isinstance(file.teacher, _Teacher) else None


def _by_question(file: _File) -> dict[str, Any]:
    plain = file.model_dump(exclude={"examples", "teacher"}, exclude_none=True)
    if isinstance(servers := plain.get("bootstrap_servers"), list):
        plain["bootstrap_servers"] = ",".join(servers)
    examples = dict(enumerate([*file.examples, ""], start=1)) if file.examples else {}
    return {
        **plain,
        **_teacher(file.teacher),
        **{f"example {number}": one for number, one in examples.items()},
    }


def _teacher(teacher: str | _Teacher | None) -> Mapping[str, Any]:
    """Name a teacher's answers; a word alone is a URL, or else a model's name."""
    if isinstance(teacher, str):
        is_url = teacher.startswith(("http://", "https://"))
        return {"teacher.base_url" if is_url else "teacher.model": teacher}
    if teacher is None:
        return {}
    told = teacher.model_dump(exclude={"api_key"}, exclude_none=True)
    if teacher.api_key is not None:
        told.setdefault("api_key_env", KEY_VARIABLE)
    return {f"teacher.{name}": value for name, value in told.items()}
