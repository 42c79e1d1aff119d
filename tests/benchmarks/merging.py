"""What a correction by both is worth: recorded answers of real LLMs, against people.

    python -m tests.benchmarks.merging ANSWERS.jsonl[,MORE.jsonl]... [--labels people|teacher]
        [--folds N] [--min-steps N] [--seed N] [--students FOLDER]

Each argument is a corpus: files of answers, whose labels are those of the answered texts together.
The texts fall into N folds by hash. In turn a student learns from all but two of them (from the
teacher's answers, or from people's labels), one is the evidence and one is judged: strict
span F1 of the student, the teacher, the two merged, and the stream, over the folds,
as JSON, the last line over all corpora. The budget pays for every record: the stream asks about all
that is under the threshold that is proved, all records where none is, but for what is unsure in
trusted labels alone, and merges what it asks about; `less_student` and `less_teacher` are what it
gains, with 95 % intervals. Students are kept in FOLDER, and taken from there where they are.
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
from distill.judging.scoring import paired_bootstrap, score
from distill.training.batches import TrainExample
from schemas.files.corpus import Example, read_corpus
from schemas.files.infer import task_of
from schemas.files.task import Task
from schemas.promises.proving import Sighting, prove, threshold_of
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

    def take(self, other: Outcome) -> None:
        """Add another's texts."""
        for one in fields(Outcome):
            getattr(self, one.name).extend(getattr(other, one.name))


@dataclass(frozen=True, slots=True)
class Known:
    """What the evidence gives."""

    threshold: float
    reliabilities: Reliabilities
    trust: Trust


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all folds and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--labels", choices=("people", "teacher"), default="teacher")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--min-steps", type=int, default=Recipe().min_steps)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--students", type=Path)
    given = parser.parse_args(arguments)
    pooled = Outcome()
    for corpus in given.corpora:
        outcome = _over_folds([Path(one) for one in corpus.split(",")], given)
        pooled.take(outcome)
        _tell(corpus, outcome)
    if len(given.corpora) > 1:
        _tell("all", pooled)


def _over_folds(answers: Sequence[Path], given: argparse.Namespace) -> Outcome:
    """Judge each fold of one corpus; a text that is answered twice counts once."""
    read = [one for file in answers for one in read_corpus(file) if one.llm_entities is not None]
    examples = list({one.text: one for one in reversed(read)}.values())[::-1]
    task = task_of(examples, name="merging")
    whole = Outcome()
    for number, parts in enumerate(_folds(examples, n=given.folds)):
        kept = f"{answers[0].stem}-{given.labels}-{number}"
        keep = given.students and given.students / (f"{kept}-{given.seed}" if given.seed else kept)
        learnt, evidence, judged = parts
        recipe = Recipe(min_steps=given.min_steps)
        rows = _rows(learnt, task, labels=given.labels)
        student = kept_student(rows, task, recipe, keep=keep, seed=given.seed)
        whole.take(_judged(student, evidence, judged))
    return whole


def _tell(corpus: str, outcome: Outcome) -> None:
    sys.stdout.write(json.dumps({"corpus": corpus} | _figures(outcome)) + "\n")
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


def _rows(learnt: Sequence[Example], task: Task, *, labels: str) -> list[TrainExample]:
    names = set(task.label_names)
    return [
        TrainExample(
            one.text,
            one.entities
            if labels == "people"
            else tuple(x for x in one.llm_entities or () if x.label in names),
        )
        for one in learnt
    ]


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
    proof = prove(sightings, _ASKED)
    threshold = proof.threshold if proof.state == "kept" else threshold_of(sightings, 0.0)
    return Known(
        threshold,
        measured_reliability(answered, threshold=threshold, choose_one=False),
        measured_trust(
            answered, student.manifest.labels, threshold=proof.threshold, risk=_ASKED.risk
        ),
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
    gains = {
        f"less_{name}": paired_bootstrap(
            outcome.gold,
            getattr(outcome, name),
            outcome.stream,
            resamples=2000,
            confidence=0.95,
            seed=0,
        ).as_dict()
        for name in ("student", "teacher")
    }
    return {
        "texts": len(outcome.gold),
        **figures,
        **gains,
        "merged_texts": changed,
        "asked_texts": sum(outcome.asked),
        "trusted_texts": sum(outcome.trusted),
        "trusted_labels": sorted(set(outcome.labels)),
    }


if __name__ == "__main__":
    main()
