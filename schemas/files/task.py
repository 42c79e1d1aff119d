"""A task: what is asked of the texts, in words that people and the teacher read.

Entities (spans of a text) or categories (of a text as a whole). What makes labels of two task
files comparable is in `schemas.files.task_identity`; how a task is written in
`schemas.files.task_file`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Literal

from schemas._json import canonical_json, require_unicode
from schemas.bio import validate_entities
from schemas.categories import Choose, check_chosen
from schemas.errors import ConfigError
from schemas.files.kind import Kind
from schemas.files.task_identity import Version, identity, versions
from schemas.types import Annotated, Category, Entity, text_digest

AnswerForm = Literal["plain", "notes"]
"""How the teacher answers: at once, or with short notes of its own before what counts."""

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""Names of tasks and versions: they become parts of paths, topics and transactional ids."""

_MAX_LABEL_CHARS = 100


@dataclass(frozen=True, slots=True)
class LabelSpec:
    """One label: its name, what it means, and for entities some surfaces of it.

    `was` are names that it had before; `added` says that texts labelled earlier were not asked
    about it.
    """

    name: str
    description: str = ""
    examples: tuple[str, ...] = ()
    was: tuple[str, ...] = ()
    added: bool = False


@dataclass(frozen=True, slots=True)
class TaskExample:
    """A text with its whole annotation, shown to the teacher."""

    text: str
    entities: tuple[Entity, ...] = ()
    categories: tuple[Category, ...] = ()


@dataclass(frozen=True)
class Task:
    """What to tag. `choose` is None for entities. Raises `ConfigError` when it contradicts itself.

    `digest` names what its labels are comparable with; see `schemas.files.task_identity`.
    """

    name: str
    language: str
    labels: tuple[LabelSpec, ...]
    guidelines: str = ""
    examples: tuple[TaskExample, ...] = ()
    kind: Kind = "entities"
    choose: Choose | None = None
    learnt: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Other digests that it had, each with the labels of then; no file says them."""
    answer_form: AnswerForm = "plain"
    """Of the prompt version in use; no task file says it."""
    shown: tuple[str, ...] = ()
    """Digests of texts that any version of the prompt shows the teacher; no task file says them."""

    def __post_init__(self) -> None:
        _check_names(self)
        _check_kind(self)
        for number, example in enumerate(self.examples, start=1):
            require_annotation(example, example.text, self, where=f"example {number}")
        try:
            require_unicode(canonical_json(asdict(self)).decode("utf-8"))
        except ValueError as error:
            raise ConfigError(f"task {self.name}: {error}") from None

    @cached_property
    def label_names(self) -> tuple[str, ...]:
        """The names of the labels, in the order of the file."""
        return tuple(label.name for label in self.labels)

    @cached_property
    def shown_texts(self) -> frozenset[str]:
        """Digests of the texts that the teacher is shown, or was: they judge nobody."""
        return frozenset(self.shown).union(text_digest(one.text) for one in self.examples)

    @cached_property
    def digest(self) -> str:
        """The task's identity, a SHA-256: an edit of words keeps it, one of labels changes it."""
        return identity(self, self.label_names)

    @cached_property
    def versions(self) -> Mapping[str, Version]:
        """What labels of this digest, or of an earlier one of the task, say about today's."""
        return versions(self)


def _check_names(task: Task) -> None:
    if not NAME_PATTERN.fullmatch(task.name):
        raise ConfigError(f"the task's name {task.name!r} must match {NAME_PATTERN.pattern}")
    if not task.language.strip():
        raise ConfigError("the task's language is empty")
    if not task.labels:
        raise ConfigError("a task needs at least one label")
    names = [name for label in task.labels for name in (label.name, *label.was)]
    for name in names:
        _check_label(name, task.kind)
    if len(set(task.label_names)) < len(task.labels):
        raise ConfigError("two labels have the same name")
    if len(set(names)) < len(names):
        raise ConfigError("a label was once called as another label is, or was")


def _check_label(name: str, kind: Kind) -> None:
    fits = 0 < len(name) <= _MAX_LABEL_CHARS and name.isprintable() and name == name.strip()
    forbidden, told = (" ", "no spaces") if kind == "entities" else ("|", "no |")
    if not fits or forbidden in name:
        raise ConfigError(
            f"the label {name!r} must have 1 to {_MAX_LABEL_CHARS} printable characters, {told}"
        )


def _check_kind(task: Task) -> None:
    if task.kind == "entities" and task.choose is not None:
        raise ConfigError("choose is for categories: entities are always any number")
    if task.kind == "categories" and task.choose is None:
        raise ConfigError("categories need choose: one (exactly one label) or any (any number)")
    if task.choose == "one" and len(task.labels) < 2:  # noqa: PLR2004 - one is no choice
        raise ConfigError("to choose one label there must be two at least")


def require_annotation(said: Annotated, text: str, task: Task, *, where: str) -> None:
    """Raise `ConfigError`, which names `where`, unless it is an answer to the task about `text`."""
    try:
        check_annotation(said, text, task)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None


def check_annotation(said: Annotated, text: str, task: Task) -> None:
    """Raise `ValueError` unless what is said of the text is an answer to the task."""
    if task.choose is not None:
        _check_categories(said, task.label_names, task.choose)
    else:
        _check_entities(said, text, task.label_names)


def _check_entities(said: Annotated, text: str, labels: tuple[str, ...]) -> None:
    if said.categories:
        raise ValueError("it has categories, but the task asks for entities")
    validate_entities(text, said.entities)
    for entity in said.entities:
        if entity.label not in labels:
            raise ValueError(f"{entity.label!r} is not one of the task's labels")


def _check_categories(said: Annotated, labels: tuple[str, ...], choose: Choose) -> None:
    if said.entities:
        raise ValueError("it has entities, but the task asks for categories")
    check_chosen(said.categories, labels=labels, choose=choose)
