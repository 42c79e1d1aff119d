"""The task file: what to look for in the texts, in words that people and the teacher read.

::

    name: places            # letters, digits, . _ -
    language: en
    labels:
      - name: LOC
        description: Cities, countries, rivers.
        examples: [Oslo, the Nile]
    guidelines: Leave out articles.
    examples:
      - text: Oslo lies north of Oslo fjord.
        entities:
          - {surface: Oslo, label: LOC, start: 0}

An entity of an example names its surface; `start` (in code points) is needed only
when the surface occurs more than once. A task is versioned by its digest.
"""  # noqa: D214, D405, D411, D413 - `examples` is a key of the file, not a section

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas._json import canonical_json, require_unicode
from schemas.bio import validate_entities
from schemas.errors import ConfigError
from schemas.types import Entity

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""Names of tasks and versions: they become parts of paths, topics and transactional ids."""

_MAX_LABEL_CHARS = 100


@dataclass(frozen=True, slots=True)
class LabelSpec:
    """One entity type: its name, what it means, and some surfaces of it."""

    name: str
    description: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskExample:
    """A text with all of its entities, shown to the teacher."""

    text: str
    entities: tuple[Entity, ...] = ()


@dataclass(frozen=True)
class Task:
    """What to tag. Raises `ConfigError` when it contradicts itself."""

    name: str
    language: str
    labels: tuple[LabelSpec, ...]
    guidelines: str = ""
    examples: tuple[TaskExample, ...] = ()

    def __post_init__(self) -> None:
        _check_names(self)
        for number, example in enumerate(self.examples, start=1):
            _check_example(example, self.label_names, where=f"example {number}")
        try:
            require_unicode(canonical_json(asdict(self)).decode("utf-8"))
        except ValueError as error:
            raise ConfigError(f"task {self.name}: {error}") from None

    @cached_property
    def label_names(self) -> tuple[str, ...]:
        """The names of the labels, in the order of the file."""
        return tuple(label.name for label in self.labels)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the task's canonical JSON: the task's version."""
        return hashlib.sha256(canonical_json(asdict(self))).hexdigest()


def load_task(path: Path) -> Task:
    """Read a task file; `ConfigError` with the path and each place that is wrong."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"cannot read the task file {path}: {error}") from None
    try:
        return _to_task(_TaskFile.model_validate(values))
    except ValidationError as error:
        raise ConfigError(_one_line(error, path)) from None
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def task_yaml(task: Task) -> str:
    """Write the task as a file that `load_task` reads back to an equal task."""
    values = {
        "name": task.name,
        "language": task.language,
        "labels": [asdict(label) | {"examples": list(label.examples)} for label in task.labels],
        "guidelines": task.guidelines,
        "examples": [_example_values(example) for example in task.examples],
    }
    return yaml.safe_dump(values, allow_unicode=True, sort_keys=False)


class _Part(BaseModel):
    # Strict: YAML reads `language: no` as a boolean; better an error than "False".
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _EntityFile(_Part):
    surface: str = Field(min_length=1)
    label: str
    start: int | None = Field(default=None, ge=0)


class _ExampleFile(_Part):
    text: str
    entities: list[_EntityFile] = []


class _LabelFile(_Part):
    name: str
    description: str = ""
    examples: list[str] = []


class _TaskFile(_Part):
    name: str
    language: str = "en"
    labels: list[_LabelFile]
    guidelines: str = ""
    examples: list[_ExampleFile] = []


def _to_task(file: _TaskFile) -> Task:
    return Task(
        name=file.name,
        language=file.language,
        labels=tuple(LabelSpec(x.name, x.description, tuple(x.examples)) for x in file.labels),
        guidelines=file.guidelines,
        examples=tuple(
            TaskExample(x.text, tuple(sorted(_locate(x.text, entity) for entity in x.entities)))
            for x in file.examples
        ),
    )


def _locate(text: str, entity: _EntityFile) -> Entity:
    start = text.find(entity.surface) if entity.start is None else entity.start
    end = start + len(entity.surface)
    if start < 0 or text[start:end] != entity.surface:
        raise ConfigError(f"the surface {entity.surface!r} is not in its example's text there")
    if entity.start is None and text.find(entity.surface, start + 1) >= 0:
        raise ConfigError(f"the surface {entity.surface!r} occurs more than once: give its start")
    return Entity(start, end, entity.label, entity.surface)


def _example_values(example: TaskExample) -> dict[str, Any]:
    return {
        "text": example.text,
        "entities": [
            {"surface": x.surface, "label": x.label, "start": x.start} for x in example.entities
        ],
    }


def _check_names(task: Task) -> None:
    if not NAME_PATTERN.fullmatch(task.name):
        raise ConfigError(f"the task's name {task.name!r} must match {NAME_PATTERN.pattern}")
    if not task.language.strip():
        raise ConfigError("the task's language is empty")
    if not task.labels:
        raise ConfigError("a task needs at least one label")
    for name in task.label_names:
        _check_label(name)
    if len(set(task.label_names)) < len(task.labels):
        raise ConfigError("two labels have the same name")


def _check_label(name: str) -> None:
    fits = 0 < len(name) <= _MAX_LABEL_CHARS and name.isprintable() and " " not in name
    if not fits:
        raise ConfigError(
            f"the label {name!r} must have 1 to {_MAX_LABEL_CHARS} printable characters, no spaces"
        )


def _check_example(example: TaskExample, labels: tuple[str, ...], *, where: str) -> None:
    try:
        validate_entities(example.text, example.entities)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None
    for entity in example.entities:
        if entity.label not in labels:
            raise ConfigError(f"{where}: {entity.label!r} is not one of the task's labels")


def _one_line(error: ValidationError, path: Path) -> str:
    return "; ".join(
        f"{path}: {'.'.join(str(part) for part in item['loc']) or 'task'}: {item['msg']}"
        for item in error.errors(include_url=False, include_input=False)
    )
