"""The settings file: YAML, a mapping of sections to plain values."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    YamlConfigSettingsSource,
)

from schemas.errors import ConfigError
from schemas.faults import yaml_fault


def file_source(path: Path | None) -> PydanticBaseSettingsSource:
    """Read the file's plain values, none without a path; a `ConfigError` says what is wrong."""
    # The library's source passes over what is no plain file.
    if path and not path.exists():
        raise ConfigError(f"cannot read the settings file {path}: there is no such file")
    try:
        source = _from_pipe(path) if path and not path.is_file() else _from_file(path)
    except OSError as error:
        raise ConfigError(f"cannot read the settings file {path}: {error.strerror}") from None
    except (UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read the settings file {path}: {yaml_fault(error)}") from None
    except (AttributeError, TypeError, ValueError):  # a list, a word, a name that is a number
        raise _no_mapping(path) from None
    if not all(isinstance(name, str) for name in source()):
        raise _no_mapping(path)
    return source


def _from_file(path: Path | None) -> PydanticBaseSettingsSource:
    return YamlConfigSettingsSource(BaseSettings, path, yaml_file_encoding="utf-8")


def _from_pipe(path: Path) -> PydanticBaseSettingsSource:
    """Read what is decrypted on the fly, say: `--config <(...)`."""
    return InitSettingsSource(BaseSettings, yaml.safe_load(path.read_text(encoding="utf-8")) or {})


def _no_mapping(path: Path | None) -> ConfigError:
    return ConfigError(f"{path}: the settings file must be a mapping of sections to plain values")
