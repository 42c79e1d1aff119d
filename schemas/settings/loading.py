"""Settings from file and environment, and how they are shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from schemas.environment import PREFIX, refuse_misspelt, variables
from schemas.errors import ConfigError
from schemas.faults import validation_faults
from schemas.masking import MASK, masked_place
from schemas.renamed_settings import RENAMED, with_new_names
from schemas.settings.settings import Settings
from schemas.settings.teacher_endpoint import TeacherEndpoint, variables_of, with_variables
from schemas.settings_file import file_source


def load_settings(path: Path | None = None, **overrides: Any) -> Settings:
    """Read the YAML file (if any), then the environment; `overrides` replace whole sections' keys.

    Raises `ConfigError` with one line for each value that is wrong.
    """
    path = settings_file(path)
    file = file_source(path)
    try:
        # Given whole by the environment, there is nothing to replace by name.
        whole = any(name.upper() == f"{PREFIX}TEACHERS" for name in os.environ)
        listed = None if whole else file().get("teachers")
        known = variables(Settings, RENAMED) | variables_of(listed, PREFIX)
        refuse_misspelt(os.environ, known)
        merged = _merged(overrides, EnvSettingsSource(Settings), file)
        if isinstance(listed, list) and isinstance(by_name := merged.get("teachers"), dict):
            merged["teachers"] = with_variables(listed, by_name)
        return Settings.model_validate(with_new_names(merged))
    except SettingsError as error:
        fault = f"environment: {error}"
    except ConfigError as error:
        fault = str(error)
    except ValidationError as error:
        fault = "; ".join(validation_faults(error, whole="settings"))
    raise ConfigError(f"{fault} (settings: {source_words(path)})")


def settings_file(path: Path | None) -> Path | None:
    """Return the file that `load_settings(path)` reads: this one, or the environment's, or none."""
    return path or (Path(env) if (env := os.environ.get("SILVERSTREAM_CONFIG")) else None)


def source_words(path: Path | None) -> str:
    """Say which settings file was read, or that none was."""
    return str(path) if path else "defaults and environment; no settings file was read"


def masked(settings: Settings) -> dict[str, Any]:
    """Plain values for people and logs: secrets, and what a URL may hold of them, as `****`."""
    values = settings.model_dump()
    if settings.teachers:  # or it would say the first twice, which is refused
        for name in TeacherEndpoint.model_fields:
            del values["teacher"][name]
    return {name: _masked(value) for name, value in values.items()}


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _masked(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return [_masked(part) for part in value]
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, str | Path):
        return masked_place(str(value))
    return value


def _merged(overrides: dict[str, Any], *sources: PydanticBaseSettingsSource) -> dict[str, Any]:
    """Merge plain values, section by section; `overrides` win, then the sources in their order.

    Nothing is validated here: what must happen to old names, happens to what this returns.
    """

    class Merged(BaseSettings):
        model_config = SettingsConfigDict(extra="allow")

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],  # noqa: ARG003 - as in `Settings`
            init_settings: PydanticBaseSettingsSource,
            *_: PydanticBaseSettingsSource,
            **__: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (init_settings, *sources)

    return Merged(**overrides).model_extra or {}
