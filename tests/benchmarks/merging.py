"""What a correction by both is worth: recorded answers of a real LLM, against people.

    python -m tests.benchmarks.merging ANSWERS.jsonl TASK.yaml [--labels people|teacher] [--folds N]

The texts fall into N folds by hash. In turn a student learns from all but two of them (from the
teacher's answers, or from people's labels), one is the evidence and one is judged: strict
span F1 of the student, the teacher, and the two merged, pooled over the folds, as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from distill.bundle.export import export_bundle
from distill.judging.scoring import score
from distill.training.batches import TrainExample
from distill.training.train import train
from schemas.files.bundle import save_bundle
from schemas.files.corpus import Example, read_corpus
from schemas.files.task import Task
from schemas.files.task_file import load_task
from schemas.settings import Recipe
from schemas.types import Annotated, Fact, Tagging, facts, text_digest
from stream.student import Student
from stream.teacher.merging import merged
from stream.teacher.reliability import measured

_CALIBRATION_TEXTS = 100
Facts = frozenset[Fact]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What each says of the judged texts, and what people say."""

    gold: list[Facts]
    student: list[Facts]
    teacher: list[Facts]
    both: list[Facts]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all folds and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("answers", type=Path)
    parser.add_argument("task", type=Path)
    parser.add_argument("--labels", choices=("people", "teacher"), default="teacher")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--min-steps", type=int, default=Recipe().min_steps)
    given = parser.parse_args(arguments)
    task = load_task(given.task)
    examples = [one for one in read_corpus(given.answers) if one.llm_entities is not None]
    recipe = Recipe(min_steps=given.min_steps)
    pooled = Outcome([], [], [], [])
    for outcome in _outcomes(examples, task, recipe, labels=given.labels, folds=given.folds):
        for name in ("gold", "student", "teacher", "both"):
            getattr(pooled, name).extend(getattr(outcome, name))
        sys.stdout.write(json.dumps(_figures(pooled)) + "\n")
        sys.stdout.flush()


def _outcomes(
    examples: Sequence[Example], task: Task, recipe: Recipe, *, labels: str, folds: int
) -> Iterator[Outcome]:
    def fold(example: Example) -> int:
        return int(text_digest(example.text), 16) % folds

    for judged in range(folds):
        evidence = (judged + 1) % folds
        learnt = [one for one in examples if fold(one) not in {judged, evidence}]
        student = _student(learnt, task, recipe, labels=labels)
        yield _judged(
            student,
            [one for one in examples if fold(one) == evidence],
            [one for one in examples if fold(one) == judged],
        )


def _student(learnt: Sequence[Example], task: Task, recipe: Recipe, *, labels: str) -> Student:
    rows = [
        TrainExample(one.text, one.entities if labels == "people" else one.llm_entities or ())
        for one in learnt
    ]
    exported = export_bundle(
        train(rows[_CALIBRATION_TEXTS:], task=task, recipe=recipe, seed=0),
        task=task,
        version="v1",
        calibration=rows[:_CALIBRATION_TEXTS],
        parity_texts=[one.text for one in rows[:_CALIBRATION_TEXTS]],
        lineage={},
    )
    with TemporaryDirectory() as folder:
        save_bundle(exported.bundle, Path(folder) / "student")
        return Student.load(Path(folder) / "student")


def _judged(student: Student, evidence: Sequence[Example], judged: Sequence[Example]) -> Outcome:
    taggings = student.tag([one.text for one in evidence])
    known = measured(
        (
            (tagging, _answer(one), facts(one))
            for tagging, one in zip(taggings, evidence, strict=True)
        ),
        choose_one=False,
    )
    said = student.tag([one.text for one in judged])
    both: list[Annotated] = [
        merged(tagging, _answer(one), known, choose_one=False) or _answer(one)
        for tagging, one in zip(said, judged, strict=True)
    ]
    return Outcome(
        gold=[facts(one) for one in judged],
        student=[facts(one) for one in said],
        teacher=[facts(_answer(one)) for one in judged],
        both=[facts(one) for one in both],
    )


def _answer(example: Example) -> Tagging:
    entities = tuple(replace(one, confidence=1.0) for one in example.llm_entities or ())
    return Tagging(entities, confidence=1.0, score=1.0)


def _figures(outcome: Outcome) -> dict[str, float]:
    figures = {
        name: round(100 * score(outcome.gold, getattr(outcome, name)).f1, 1)
        for name in ("student", "teacher", "both")
    }
    changed = sum(a != b for a, b in zip(outcome.both, outcome.teacher, strict=True))
    return {"texts": len(outcome.gold), **figures, "merged_texts": changed}


if __name__ == "__main__":
    main()
