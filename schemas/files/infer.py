"""A task made of labelled examples, where no task file is given."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.errors import ConfigError
from schemas.files.corpus.example import Example
from schemas.files.task import LabelSpec, Task
from schemas.types import facts


def task_of(examples: Sequence[Example], *, name: str) -> Task:
    """Make a task of the examples' labels, with generic descriptions.

    Categories where they have some, and of these exactly one is to be chosen where each example
    has exactly one. Raises `ConfigError` for examples without labels, and for those of two kinds.
    """
    labels = sorted({label for example in examples for _, _, label in facts(example)})
    if not labels:
        raise ConfigError("the examples have neither an entity nor a category: no label is named")
    if any(example.categories for example in examples):
        return _of_categories(examples, labels, name)
    specs = tuple(LabelSpec(one, f"A mention of the kind {one}.") for one in labels)
    return Task(name=name, language="en", labels=specs)


def _of_categories(examples: Sequence[Example], labels: Sequence[str], name: str) -> Task:
    other = next((example for example in examples if example.entities), None)
    if other is not None:
        raise ConfigError(f"{other.id} has entities, others have categories: give a file of each")
    return Task(
        name=name,
        language="en",
        labels=tuple(LabelSpec(one, f"A text of the kind {one}.") for one in labels),
        kind="categories",
        choose="one" if all(len(example.categories) == 1 for example in examples) else "any",
    )
