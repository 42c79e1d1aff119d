"""How good the stream and the teacher were, against gold. Pure.

A record that gave no event counts as nothing said, so a lost record costs recall and accuracy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from distill.judging.scoring import Scores, exactly_right, score
from schemas.files.corpus import Example
from schemas.files.task import Task
from schemas.types import Annotated, SilverLabel, Tagging, facts, text_digest
from stream.lab.observations import Observations

Sent = Mapping[str, Example]
"""Record id to the example whose text was produced under it."""

NOTHING = Tagging((), 0.0, 0.0)
"""What a record without an event said."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Answers against gold: strict scores, and the share of texts that are wholly right."""

    scores: Scores
    accuracy: float

    @property
    def f1(self) -> float:
        """Micro F1 of spans or of categories."""
        return self.scores.f1

    def figures(self, task: Task) -> dict[str, float]:
        """Give F1, precision and recall, and what else is said of categories."""
        of_all = {"f1": self.f1, "precision": self.scores.precision, "recall": self.scores.recall}
        return of_all | self.of_categories(task)

    def headline(self, task: Task) -> tuple[str, float]:
        """Give the measure that counts for the task's kind, by its name."""
        return ("f1", self.f1) if task.choose is None else ("accuracy", self.accuracy)

    def of_categories(self, task: Task) -> dict[str, float]:
        """Give what is said of categories beside F1; nothing for entities."""
        if task.choose is None:
            return {}
        found = {"accuracy": self.accuracy, "macro_f1": self.scores.macro_f1}
        return found | ({"micro_f1": self.f1} if task.choose == "any" else {})


def quality(gold: Sequence[Annotated], said: Sequence[Annotated]) -> Quality:
    """Hold answers against gold, text by text."""
    truth, found = [facts(one) for one in gold], [facts(one) for one in said]
    right = exactly_right(truth, found)
    return Quality(score(truth, found), float(right.sum()) / max(len(right), 1))


def stream_quality(sent: Sent, seen: Observations) -> Quality:
    """Judge each record's last revision."""
    return quality([*sent.values()], [seen.said(record_id) or NOTHING for record_id in sent])


def student_alone(sent: Sent, seen: Observations) -> Quality:
    """Judge each record's first revision: the student's of that time, before any correction."""
    return quality([*sent.values()], [seen.first(record_id) or NOTHING for record_id in sent])


def teacher_alone(sent: Sent, answers: Mapping[str, Annotated]) -> Quality:
    """Judge what the teacher would have said of each record, by text; a refusal says nothing."""
    return quality([*sent.values()], [answers.get(one.text, NOTHING) for one in sent.values()])


def teacher_quality(examples: Iterable[Example], labels: Iterable[SilverLabel]) -> Quality:
    """Judge the answers, each against the gold of the first example of its text."""
    gold: dict[str, Example] = {}
    for example in examples:
        gold.setdefault(text_digest(example.text), example)
    answered = [label for label in labels if text_digest(label.text) in gold]
    return quality([gold[text_digest(label.text)] for label in answered], answered)


def overall_quality(cold: Sequence[Example], sent: Sent, seen: Observations) -> Quality:
    """Judge the whole: the cold start by the teacher's answers, the rest by its last revisions."""
    answers = [seen.labels.get(text_digest(one.text), NOTHING) for one in cold]
    streamed = [seen.said(record_id) or NOTHING for record_id in sent]
    return quality([*cold, *sent.values()], [*answers, *streamed])
