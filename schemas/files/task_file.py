"""The task file.

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

or, for texts as a whole::

    name: mood
    kind: categories        # entities, when it is not given
    choose: one             # exactly one label; any: none, one or several
    labels:
      - name: glad
        was: happy          # its name before, or a list of them: labels of then are carried over
      - name: calm
        added: true         # texts labelled before were not asked about it
      - name: angry
    examples:
      - text: What a day!
        categories: [glad]

An entity of an example names its surface; `start` (in code points) is needed only
when the surface occurs more than once.
"""  # noqa: D214, D405, D411, D413 - `examples` is a key of the file, not a section

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.categories import Choose, of_labels
from schemas.errors import ConfigError
from schemas.faults import validation_faults, yaml_fault
from schemas.files.kind import Kind
from schemas.files.task import LabelSpec, Task, TaskExample
from schemas.types import Entity


def load_task(path: Path) -> Task:
    """Read a task file; `ConfigError` with the path and each place that is wrong."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the task file {path}: {error.strerror}") from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read the task file {path}: {yaml_fault(error)}") from None
    try:
        return _to_task(_TaskFile.model_validate(values))
    except ValidationError as error:
        faults = validation_faults(error, whole="task")
        raise ConfigError("; ".join(f"{path}: {fault}" for fault in faults)) from None
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def task_yaml(task: Task) -> str:
    """Write the task as a file that `load_task` reads back to an equal task."""
    values = {
        "name": task.name,
        "language": task.language,
        **({} if task.choose is None else {"kind": task.kind, "choose": task.choose}),
        "labels": [_label_values(label) for label in task.labels],
        "guidelines": task.guidelines,
        "examples": [example_values(example, task.kind) for example in task.examples],
    }
    return yaml.safe_dump(values, allow_unicode=True, sort_keys=False)


class Part(BaseModel):
    """A part of a file that people write."""

    # Strict: YAML reads `language: no` as a boolean; better an error than "False".
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _EntityFile(Part):
    surface: str = Field(min_length=1)
    label: str
    start: int | None = Field(default=None, ge=0)


class ExampleFile(Part):
    """An example as a file says it, of a task or of a version of its prompt."""

    text: str
    entities: list[_EntityFile] = []
    categories: list[str] = []


class _LabelFile(Part):
    name: str
    description: str = ""
    examples: list[str] = []
    was: str | list[str] = []
    added: bool = False


class _TaskFile(Part):
    name: str
    language: str = "en"
    kind: Kind = "entities"
    choose: Choose | None = None
    labels: list[_LabelFile]
    guidelines: str = ""
    examples: list[ExampleFile] = []


def _to_task(file: _TaskFile) -> Task:
    return Task(
        name=file.name,
        language=file.language,
        labels=tuple(map(_to_label, file.labels)),
        guidelines=file.guidelines,
        examples=tuple(map(to_example, file.examples)),
        kind=file.kind,
        choose=file.choose,
    )


def _to_label(file: _LabelFile) -> LabelSpec:
    return LabelSpec(
        file.name,
        file.description,
        tuple(file.examples),
        was=(file.was,) if isinstance(file.was, str) else tuple(file.was),
        added=file.added,
    )


def to_example(file: ExampleFile) -> TaskExample:
    """Find the surfaces of an example in its text; `ConfigError` where they are not."""
    return TaskExample(
        file.text,
        tuple(sorted(_locate(file.text, entity) for entity in file.entities)),
        of_labels(file.categories),
    )


def _locate(text: str, entity: _EntityFile) -> Entity:
    start = text.find(entity.surface) if entity.start is None else entity.start
    end = start + len(entity.surface)
    if start < 0 or text[start:end] != entity.surface:
        raise ConfigError(f"the surface {entity.surface!r} is not in its example's text there")
    if entity.start is None and text.find(entity.surface, start + 1) >= 0:
        raise ConfigError(f"the surface {entity.surface!r} occurs more than once: give its start")
    return Entity(start, end, entity.label, entity.surface)


def _label_values(label: LabelSpec) -> dict[str, Any]:
    changes = {"was": list(label.was), "added": label.added}
    values = {name: value for name, value in asdict(label).items() if name not in changes}
    told = {name: value for name, value in changes.items() if value}
    return values | {"examples": list(label.examples)} | told


def example_values(example: TaskExample, kind: Kind) -> dict[str, Any]:
    """Write an example as `to_example` reads it back."""
    if kind == "categories":
        return {"text": example.text, "categories": [x.label for x in example.categories]}
    return {
        "text": example.text,
        "entities": [
            {"surface": x.surface, "label": x.label, "start": x.start} for x in example.entities
        ],
    }
