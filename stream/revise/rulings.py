"""What people and the teacher say of texts: a labelled file, and the labels that stand."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from schemas.canaries.holds import Hold, is_withheld
from schemas.errors import ConfigError
from schemas.files.corpus import Example
from schemas.files.task import Task, require_annotation
from schemas.files.task_identity import unasked_of
from schemas.types import WHOLE, SilverLabel, facts
from stream.revise.deciding import KnownAnswer, Ruling


def of_examples(examples: Iterable[Example], task: Task, *, now_ms: int) -> dict[str, Ruling]:
    """Take what people say of texts, by text, as of now.

    `ConfigError` for what is no answer to the task, and for two answers to one text.
    """
    found: dict[str, Example] = {}
    for example in examples:
        require_annotation(example, example.text, task, where=f"the text {example.id}")
        earlier = found.setdefault(example.text, example)
        if facts(earlier) != facts(example):
            raise ConfigError(f"{earlier.id} and {example.id} are one text, labelled differently")
    return {
        text: Ruling(one.entities, one.categories, since_ms=now_ms) for text, one in found.items()
    }


def of_labels(labels: Iterable[SilverLabel], task: Task) -> dict[str, Ruling]:
    """Take the labels by people that answer all of today's task, by text.

    `labels` are those that stand, in today's names (`distill.labels.standing`).
    """
    return {
        label.text: Ruling(label.entities, label.categories, since_ms=label.labelled_at_ms)
        for label in labels
        if label.source == "human" and _answers_today(label, task)
    }


def answers_of_labels(
    labels: Iterable[SilverLabel],
    task: Task,
    *,
    holds: Collection[Hold],
    first_teacher: str = "",
) -> dict[str, KnownAnswer]:
    """Take the teacher's labels that answer all of today's task, by text.

    `labels` are those that stand; what the teacher said while he was doubted is left out. Of
    several teachers the first counts. An answer about doubts alone is left out: the rest of its
    label is a student's.
    """
    return {
        label.text: KnownAnswer(
            label.entities, label.categories, label.teacher_model, label.prompt_version
        )
        for label in labels
        if label.source != "human"
        and label.asked in WHOLE
        and label.teacher in {"", first_teacher}
        and not is_withheld(label, holds)
        and _answers_today(label, task)
    }


def _answers_today(label: SilverLabel, task: Task) -> bool:
    return label.task_digest in task.versions and not unasked_of(label, task)
