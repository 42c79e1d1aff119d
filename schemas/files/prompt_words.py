"""The words of a prompt: all that the teacher is told of a task but its labels' names and its kind.

A task file says them too; a version of the prompt (`schemas.files.prompt_file`) says them in its
place. The task stays what it was: labels and champion are its own, whatever the words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property

from schemas._json import canonical_json
from schemas.files.task import AnswerForm, LabelSpec, Task, TaskExample
from schemas.files.task_identity import reworded
from schemas.types import facts


@dataclass(frozen=True, slots=True)
class LabelWords:
    """What is said of one label; `examples` are surfaces of it, or texts of a category."""

    name: str
    description: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class PromptWords:
    """Guidelines, what is said of each label, examples with their answers, the answer's form."""

    guidelines: str
    labels: tuple[LabelWords, ...]
    examples: tuple[TaskExample, ...] = ()
    answer_form: AnswerForm = "plain"

    @cached_property
    def version(self) -> str:
        """12 hexadecimal digits of the words' SHA-256: other words are another version."""
        return hashlib.sha256(canonical_json(asdict(self))).hexdigest()[:12]


def words_of(task: Task) -> PromptWords:
    """Take the words of a task."""
    labels = tuple(LabelWords(x.name, x.description, x.examples) for x in task.labels)
    return PromptWords(task.guidelines, labels, task.examples, task.answer_form)


def worded(task: Task, words: PromptWords) -> Task:
    """Put the task into these words.

    A label that they do not know keeps its own; one that was renamed since, by `was` of the task
    file, is found by its old name. An example with a label that is gone is left out.
    """
    said = {label.name: label for label in words.labels}
    return reworded(
        task,
        guidelines=words.guidelines,
        labels=tuple(_worded_label(label, said) for label in task.labels),
        examples=tuple(_renamed_examples(words.examples, task)),
        answer_form=words.answer_form,
    )


def _worded_label(label: LabelSpec, said: dict[str, LabelWords]) -> LabelSpec:
    for name in (label.name, *label.was):
        if words := said.get(name):
            return replace(label, description=words.description, examples=words.examples)
    return label


def _renamed_examples(examples: tuple[TaskExample, ...], task: Task) -> Iterator[TaskExample]:
    names = {name: label.name for label in task.labels for name in (label.name, *label.was)}
    for one in examples:
        if all(label in names for _, _, label in facts(one)):
            entities = tuple(replace(x, label=names[x.label]) for x in one.entities)
            categories = tuple(sorted(replace(x, label=names[x.label]) for x in one.categories))
            yield TaskExample(one.text, entities, categories)
