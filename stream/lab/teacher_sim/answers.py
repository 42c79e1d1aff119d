"""What the simulated teacher answers from: labelled records, or recorded answers of an LLM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from schemas.categories import of_labels
from schemas.errors import ConfigError
from schemas.files.corpus import Example, Reading, read_corpus
from schemas.files.corpus.read import AS_RECOGNISED
from schemas.files.infer import kind_in
from schemas.files.task import Task
from schemas.types import Annotated, facts
from stream.teacher.kinds.kind import TeacherKind, kind_of
from stream.teacher.kinds.said import Annotation, Said, said_by
from stream.teacher.prompt import render_answer
from stream.teacher.prompt_parts import answer_json
from stream.teacher.unsure.kind import unsure_kind

Origin = Literal["gold", "llm"]

Answers = Mapping[str, Annotation]
"""Entities or categories by text."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Answers out of files, and of which kind they are."""

    answers: Answers
    kind: TeacherKind

    @property
    def labels(self) -> frozenset[str]:
        """The labels that there are."""
        return frozenset(x.label for said in self.answers.values() for x in said)


def load_answers(
    paths: Iterable[Path],
    *,
    origin: Origin = "gold",
    how: Reading = AS_RECOGNISED,
    task: Task | None = None,
) -> Loaded:
    """Read answers from corpus files; of a repeated text the first one counts.

    With `origin="llm"` they are the recorded `llm_entities` or `llm_categories`, and a record
    without them gives no answer. The kind is the task's, or else that of what the files say.
    Raises `ConfigError` for a file that is wrong, or without any answer.
    """
    examples = [example for path in paths for example in read_corpus(path, how=how)]
    return answers_of(examples, origin=origin, task=task)


def answers_of(
    examples: Sequence[Example], *, origin: Origin = "gold", task: Task | None = None
) -> Loaded:
    """Take the answers of examples; see `load_answers`."""
    kind = kind_of(task.kind, task.choose) if task else _told_kind(examples)
    answers: dict[str, Annotation] = {}
    for example in examples:
        said = example if origin == "gold" else _recorded(example, kind)
        if said is not None:
            answers.setdefault(example.text, _of_kind(said, kind))
    if not answers:
        raise ConfigError(f"there is no {origin} answer in the given files")
    return Loaded(answers, kind)


class Repertoire:
    """The answers as texts, in the words that a teacher was asked for."""

    def __init__(self, answers: Answers, kind: TeacherKind) -> None:
        self._answers = answers
        self._kind = kind
        self._unsure = unsure_kind(kind.name, kind.choose)
        labels = sorted({said.label for all_said in answers.values() for said in all_said})
        self._next_label = dict(zip(labels, [*labels[1:], *labels[:1]], strict=True))

    def answer(self, text: str) -> str | None:
        """Answer as is known; None for an unknown text."""
        said = self._answers.get(text)
        return None if said is None else render_answer(text, said, kind=self._kind)

    def answer_about(self, text: str, marks: Mapping[str, Any]) -> str | None:
        """Answer about what stands beside the text, as is known; None for an unknown text."""
        said = self._answers.get(text)
        if said is None:
            return None
        return answer_json(text, self._unsure.members(text, said_by(said), marks))

    def mislabelled(self, text: str) -> str | None:
        """Answer with other labels, each exchanged for the next one in the alphabet."""
        said = said_by(self._answers.get(text, ()))
        wrong = Said(
            tuple(replace(x, label=self._next_label[x.label]) for x in said.entities),
            of_labels(self._next_label[x.label] for x in said.categories),
        )
        known = text in self._answers
        return render_answer(text, _of_kind(wrong, self._kind), kind=self._kind) if known else None

    def about_another(self, text: str) -> str:
        """Give the answer to another text."""
        other = next((known for known in self._answers if known != text), "another text")
        return render_answer(other, self._answers.get(other, ()), kind=self._kind)


def _recorded(example: Example, kind: TeacherKind) -> Annotated | None:
    recorded: Annotation | None = (
        example.llm_categories if kind.name == "categories" else example.llm_entities
    )
    return None if recorded is None else said_by(recorded)


def _of_kind(said: Annotated, kind: TeacherKind) -> Annotation:
    return said.categories if kind.name == "categories" else said.entities


def _told_kind(examples: Sequence[Example]) -> TeacherKind:
    """Tell the kind by the labels, as a replay infers its task; by what was recorded without."""
    recorded = [
        replace(one, entities=one.llm_entities or (), categories=one.llm_categories or ())
        for one in examples
        if (one.llm_entities, one.llm_categories) != (None, None)
    ]
    labelled = any(map(facts, examples))
    return kind_of(*kind_in(examples if labelled else recorded))
