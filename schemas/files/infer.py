"""A task made of labelled examples, where no task file is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.categories import Choose
from schemas.errors import ConfigError
from schemas.files.corpus.example import Example
from schemas.files.kind import Kind
from schemas.files.task import LabelSpec, Task
from schemas.types import facts


def kind_in(examples: Iterable[Example]) -> tuple[Kind, Choose | None]:
    """Tell of which kind the labels are, and how many of a text; entities where there are none.

    Exactly one category is to be chosen where each example has exactly one. Raises `ConfigError`
    for examples of two kinds.
    """
    examples = list(examples)
    if not any(example.categories for example in examples):
        return "entities", None
    other = next((example for example in examples if example.entities), None)
    if other is not None:
        raise ConfigError(f"{other.id} has entities, others have categories: give a file of each")
    return "categories", "one" if all(len(one.categories) == 1 for one in examples) else "any"


def task_of(examples: Sequence[Example], *, name: str) -> Task:
    """Make a task of the examples' labels, with generic descriptions, of the kind that is in them.

    Raises `ConfigError` for examples without labels, and for those of two kinds.
    """
    labels = sorted({label for example in examples for _, _, label in facts(example)})
    if not labels:
        raise ConfigError("the examples have neither an entity nor a category: no label is named")
    kind, choose = kind_in(examples)
    said_of = "A mention of the kind" if kind == "entities" else "A text of the kind"
    specs = tuple(LabelSpec(one, f"{said_of} {one}.") for one in labels)
    return Task(name=name, language="en", labels=specs, kind=kind, choose=choose)
