"""Versions of a task's prompt, one file each: superseded, never edited.

::

    prompts/people/          # beside the task file; the task's name
      4f1c0a9be21d.yaml      # a version: its name is a digest of its words
      in-use.yaml            # which one is asked with; without it, the task file's words

A version says who its parent is, when and why it was made, what it scored, and how much of the
parent's answers it kept (`agreement`). The words stand in it whole, so that each file stands alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, Field, ValidationError

from schemas.errors import ConfigError
from schemas.faults import validation_faults
from schemas.files.kind import Kind
from schemas.files.prompt_words import LabelWords, PromptWords
from schemas.files.task import AnswerForm
from schemas.files.task_file import ExampleFile, Part, example_values, to_example
from schemas.files.whole_files import write_whole

_IN_USE = "in-use.yaml"

File = TypeVar("File", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class PromptVersion:
    """A prompt and how it came about. `parent` is "" where it was written by a person."""

    words: PromptWords
    parent: str = ""
    made_at: str = ""
    """ISO 8601, UTC."""
    why: tuple[str, ...] = ()
    """What was changed of the parent, and why; one entry an edit."""
    scores: Mapping[str, Any] = field(default_factory=dict)
    """By part of gold, `tune`, `keep` and `report`; empty where nothing was measured."""
    agreement: float | None = None
    """F1 of its answers against the parent's, on the keep part; None where it is not known."""

    @property
    def version(self) -> str:
        """The words' digest."""
        return self.words.version


@dataclass(frozen=True, slots=True)
class InUse:
    """Which version is asked with, and the version of the task file's words when that was said."""

    version: str
    task_file: str


class PromptFolder:
    """The versions in a folder, which need not be there."""

    def __init__(self, path: Path, *, kind: Kind) -> None:
        self.path = path
        self._kind: Kind = kind

    def versions(self) -> list[PromptVersion]:
        """Read all versions, the oldest first; `ConfigError` for a file that is none."""
        files = [file for file in self.path.glob("*.yaml") if file.name != _IN_USE]
        found = [_read_version(file) for file in files]
        return sorted(found, key=lambda one: (one.made_at, one.version))

    def read(self, version: str) -> PromptVersion:
        """Read one version; `ConfigError` where there is none."""
        found = {one.version: one for one in self.versions()}
        if version not in found:
            known = ", ".join(found) or "none"
            raise ConfigError(f"{self.path} has no prompt {version!r}; it has {known}")
        return found[version]

    def add(self, prompt: PromptVersion) -> None:
        """Write a version; one that is there already stays as it is."""
        file = self.path / f"{prompt.version}.yaml"
        if not file.exists():
            _write(file, _version_values(prompt, self._kind))

    def in_use(self) -> InUse | None:
        """Tell which version is asked with; None: the task file's own words."""
        file = self.path / _IN_USE
        if not file.exists():
            return None
        values = _read(file, _InUseFile)
        return InUse(values.version, values.task_file)

    def use(self, in_use: InUse | None) -> None:
        """Say which version is asked with from now on."""
        file = self.path / _IN_USE
        if in_use is None:
            file.unlink(missing_ok=True)
        else:
            _write(file, {"version": in_use.version, "task_file": in_use.task_file})


class _LabelWordsFile(Part):
    name: str
    description: str = ""
    examples: list[str] = Field(default_factory=list)


class _WordsFile(Part):
    guidelines: str
    labels: list[_LabelWordsFile]
    examples: list[ExampleFile] = Field(default_factory=list)
    answer_form: AnswerForm = "plain"


class _VersionFile(Part):
    version: str
    parent: str = ""
    made_at: str
    why: list[str] = Field(default_factory=list)
    scores: dict[str, Any] = Field(default_factory=dict)
    agreement: float | None = Field(default=None, ge=0, le=1)
    prompt: _WordsFile


class _InUseFile(Part):
    version: str
    task_file: str


def _read_version(path: Path) -> PromptVersion:
    file = _read(path, _VersionFile)
    try:
        words = _words(file.prompt)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    if not path.stem == file.version == words.version:
        raise ConfigError(
            f"{path} was edited: versions of a prompt are superseded, never edited; take it out, "
            "and write what you want into the task file"
        )
    return PromptVersion(
        words=words,
        parent=file.parent,
        made_at=file.made_at,
        why=tuple(file.why),
        scores=file.scores,
        agreement=file.agreement,
    )


def _words(file: _WordsFile) -> PromptWords:
    return PromptWords(
        guidelines=file.guidelines,
        labels=tuple(LabelWords(x.name, x.description, tuple(x.examples)) for x in file.labels),
        examples=tuple(map(to_example, file.examples)),
        answer_form=file.answer_form,
    )


def _version_values(prompt: PromptVersion, kind: Kind) -> dict[str, Any]:
    words = prompt.words
    return {
        "version": prompt.version,
        "parent": prompt.parent,
        "made_at": prompt.made_at,
        "why": list(prompt.why),
        "scores": dict(prompt.scores),
        "agreement": prompt.agreement,
        "prompt": {
            "guidelines": words.guidelines,
            "labels": [
                {"name": x.name, "description": x.description, "examples": list(x.examples)}
                for x in words.labels
            ],
            "examples": [example_values(x, kind) for x in words.examples],
            "answer_form": words.answer_form,
        },
    }


def _read(path: Path, form: type[File]) -> File:
    try:
        return form.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"cannot read the prompt file {path}: {error}") from None
    except ValidationError as error:
        faults = validation_faults(error, whole="prompt")
        raise ConfigError("; ".join(f"{path}: {fault}" for fault in faults)) from None


def _write(path: Path, values: Mapping[str, Any]) -> None:
    """Write the file whole or not at all: a process may be killed, and another may be reading.

    Raises `DiskError`.
    """
    told = dict(values)
    text = yaml.safe_dump(told, allow_unicode=True, sort_keys=False)
    if yaml.safe_load(text) != told:  # of a next-line character, say, YAML makes a blank
        text = yaml.safe_dump(told, allow_unicode=False, sort_keys=False)
    write_whole(path, text)
