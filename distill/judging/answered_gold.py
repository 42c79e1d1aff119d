"""Gold texts that the teacher answered: what the student says, what the teacher, and the truth.

Gold texts are never trained on. Those that the teacher answered, in the stream or since somebody
let `silverstream bootstrap` ask about them, show how reliable both are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from distill.labels.judges import Judges
from distill.labels.table import LabelTable
from schemas.files.manifest import Manifest
from schemas.files.task import Task
from schemas.types import UNSURE, Fact, SilverLabel, Tagging, facts


@dataclass(frozen=True, slots=True)
class Answered:
    """One of these texts."""

    student: Tagging
    teacher: SilverLabel
    truth: frozenset[Fact]


def answered_gold(
    taggings: Sequence[Tagging],
    judges: Judges,
    labels: Iterable[SilverLabel],
    manifest: Manifest,
) -> list[Answered]:
    """Find them; there are none without gold, or answers about it.

    `taggings` are the student's of the judges' records, in order; `manifest` is that student's.
    Only the teacher who answered last counts, by model and prompt, and answers to this very task
    about the whole text: what was asked with the student's eyes is no second opinion. Of several
    teachers it is the one who answered about most of these texts.
    """
    if not judges.digest or judges.source == "cold start":
        return []  # there, what the teacher said itself stands beside gold
    of_text = _answers_about(judges, labels, manifest.task_digest)
    return [
        Answered(tagging, of_text[example.text], facts(example))
        for tagging, example in zip(taggings, judges.examples, strict=True)
        if example.text in of_text and not example.unasked
    ]


def said_of_gold(
    judges: Judges, labels: Iterable[SilverLabel], task: Task
) -> dict[str, frozenset[Fact]]:
    """Give by text what that teacher said of gold, asked for today's task."""
    of_text = _answers_about(judges, labels, task.digest) if judges.digest else {}
    return {text: facts(label) for text, label in of_text.items()}


def _answers_about(
    judges: Judges, labels: Iterable[SilverLabel], task_digest: str
) -> dict[str, SilverLabel]:
    """Give by text of gold the answers of one teacher, about whole texts."""
    table = LabelTable.of(labels)
    is_answer = table.among("task_digest", {task_digest}) & ~table.among("teacher_model", {""})
    answers = table.take(is_answer & ~table.among("asked", {*UNSURE}))
    texts = {example.text for example in judges.examples}
    about_gold = list(answers.take([text in texts for text in answers.texts()]))
    found = (
        {one.text: one for one in about_gold if teacher_of(one) == teacher_of(last)}
        for last in _newest_of_each(answers)
    )
    return max(found, key=len, default={})


def _newest_of_each(answers: LabelTable) -> list[SilverLabel]:
    """Give each teacher's newest answer, the newest first."""
    newest_first = answers.take(np.argsort(answers.times_ms, kind="stable")[::-1])
    _, first = np.unique(newest_first.codes("teacher"), return_index=True)
    return list(newest_first.take(np.sort(first)))


def teacher_of(label: SilverLabel) -> tuple[str, str]:
    """Name the teacher: the model and the prompt's version."""
    return label.teacher_model, label.prompt_version
