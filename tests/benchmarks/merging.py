"""What a correction by both is worth: recorded answers of a real LLM, against people.

    python -m tests.benchmarks.merging ANSWERS.jsonl TASK.yaml [--labels people|teacher] [--folds N]
        [--min-steps N] [--students FOLDER]

The texts fall into N folds by hash. In turn a student learns from all but two of them (from the
teacher's answers, or from people's labels), one is the evidence and one is judged: strict
span F1 of the student, the teacher, the two merged, and the stream, pooled over the folds,
as JSON. The stream asks about all that is under the threshold that the evidence gives, but for
what is unsure in trusted labels alone, and merges what it asks about. Students are kept in FOLDER,
and taken from there where they are.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from distill.judging.answered_gold import Answered
from distill.judging.disagreements import measured_reliability, measured_trust
from distill.judging.scoring import score
from distill.training.batches import TrainExample
from schemas.files.corpus import Example, read_corpus
from schemas.files.task import Task
from schemas.files.task_file import load_task
from schemas.promises.proving import Sighting, prove
from schemas.promises.settings import PromiseSettings
from schemas.promises.trust import Trust, untrusted_confidence
from schemas.settings import Recipe
from schemas.types import Annotated, Fact, SilverLabel, Tagging, facts, text_digest
from stream.student import Student
from stream.teacher.merging import merged
from stream.teacher.reliabilities import Reliabilities
from stream.testing.messages import a_label
from tests.benchmarks.kept_student import kept_student

_ASKED = PromiseSettings().asked
Facts = frozenset[Fact]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What each says of the judged texts, and what people say; `asked` counts them."""

    gold: list[Facts] = field(default_factory=list)
    student: list[Facts] = field(default_factory=list)
    teacher: list[Facts] = field(default_factory=list)
    both: list[Facts] = field(default_factory=list)
    stream: list[Facts] = field(default_factory=list)
    asked: list[bool] = field(default_factory=list)
    trusted: list[bool] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    """That were trusted, in some fold."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the evidence gives."""

    threshold: float
    reliabilities: Reliabilities
    trust: Trust


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all folds and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("answers", type=Path)
    parser.add_argument("task", type=Path)
    parser.add_argument("--labels", choices=("people", "teacher"), default="teacher")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--min-steps", type=int, default=Recipe().min_steps)
    parser.add_argument("--students", type=Path)
    given = parser.parse_args(arguments)
    task = load_task(given.task)
    examples = [one for one in read_corpus(given.answers) if one.llm_entities is not None]
    recipe = Recipe(min_steps=given.min_steps)
    pooled = Outcome()
    for number, parts in enumerate(_folds(examples, n=given.folds)):
        keep = given.students and given.students / f"{given.labels}-{number}"
        learnt, evidence, judged = parts
        student = _student(learnt, task, recipe, labels=given.labels, keep=keep)
        outcome = _judged(student, evidence, judged)
        for one in fields(Outcome):
            getattr(pooled, one.name).extend(getattr(outcome, one.name))
        sys.stdout.write(json.dumps(_figures(pooled)) + "\n")
        sys.stdout.flush()


def _folds(
    examples: Sequence[Example], *, n: int
) -> Iterator[tuple[list[Example], list[Example], list[Example]]]:
    """Give what is learnt, the evidence, and what is judged."""
    fold = {one.id: int(text_digest(one.text), 16) % n for one in examples}
    for judged in range(n):
        evidence = (judged + 1) % n
        yield (
            [one for one in examples if fold[one.id] not in {judged, evidence}],
            [one for one in examples if fold[one.id] == evidence],
            [one for one in examples if fold[one.id] == judged],
        )


def _student(
    learnt: Sequence[Example], task: Task, recipe: Recipe, *, labels: str, keep: Path | None
) -> Student:
    rows = [
        TrainExample(one.text, one.entities if labels == "people" else one.llm_entities or ())
        for one in learnt
    ]
    return kept_student(rows, task, recipe, keep=keep)


def _judged(student: Student, evidence: Sequence[Example], judged: Sequence[Example]) -> Outcome:
    known, labels = _known(student, evidence), student.manifest.labels
    said = student.tag([one.text for one in judged])
    outcome = Outcome(labels=list(known.trust.labels))
    for tagging, one in zip(said, judged, strict=True):
        both: Annotated = _merged(tagging, _answer(one), known)
        trusted = known.trust.labels
        asked = untrusted_confidence(tagging, labels, trusted) < known.threshold
        outcome.gold.append(facts(one))
        outcome.student.append(facts(tagging))
        outcome.teacher.append(facts(_answer(one)))
        outcome.both.append(facts(both))
        outcome.stream.append(facts(both if asked else tagging))
        outcome.asked.append(asked)
        outcome.trusted.append(not asked and tagging.confidence < known.threshold)
    return outcome


def _merged(tagging: Tagging, answer: Annotated, known: Known) -> Annotated:
    reliability = known.reliabilities.of(tagging.confidence)
    return merged(tagging, answer, reliability, choose_one=False) or answer


def _known(student: Student, evidence: Sequence[Example]) -> Known:
    answered = [
        Answered(tagging, _answer(one), facts(one))
        for tagging, one in zip(student.tag([x.text for x in evidence]), evidence, strict=True)
    ]
    sightings = [Sighting(x.student.confidence, facts(x.student) == x.truth) for x in answered]
    threshold = prove(sightings, _ASKED).threshold
    return Known(
        threshold,
        measured_reliability(answered, threshold=threshold, choose_one=False),
        measured_trust(answered, student.manifest.labels, threshold=threshold, risk=_ASKED.risk),
    )


def _answer(example: Example) -> SilverLabel:
    entities = tuple(replace(one, confidence=1.0) for one in example.llm_entities or ())
    return a_label(text=example.text, entities=entities)


def _figures(outcome: Outcome) -> dict[str, Any]:
    figures = {
        name: round(100 * score(outcome.gold, getattr(outcome, name)).f1, 1)
        for name in ("student", "teacher", "both", "stream")
    }
    changed = sum(a != b for a, b in zip(outcome.both, outcome.teacher, strict=True))
    return {
        "texts": len(outcome.gold),
        **figures,
        "merged_texts": changed,
        "asked_texts": sum(outcome.asked),
        "trusted_texts": sum(outcome.trusted),
        "trusted_labels": sorted(set(outcome.labels)),
    }


if __name__ == "__main__":
    main()
