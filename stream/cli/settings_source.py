"""The settings of the command that runs, and the words that say where they came from."""

from __future__ import annotations

from contextvars import ContextVar
from pathlib import Path

from schemas.settings import Settings, load_settings, settings_file, source_words

# Not in `Settings`: equal settings stay equal, whatever file they were read from.
_source: ContextVar[str] = ContextVar("settings_source", default="")


def command_settings(config: Path | None) -> Settings:
    """Load a command's settings; from now on `settings_source` says where they came from."""
    settings = load_settings(config)
    _source.set(source_words(settings_file(config)))
    return settings


def settings_source() -> str:
    """Say which settings file was read, or that none was; "" before any settings were loaded."""
    return _source.get()


def forget_settings() -> None:
    """Begin another command, which has loaded no settings yet."""
    _source.set("")
