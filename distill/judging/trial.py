"""A trial: the student that was made against the one that serves, both as they would serve."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distill.judging.differing import Contest, judge_differing
from distill.judging.evaluation import MICRO_BATCH_RECORDS, Evaluation, compare_speed, evaluate
from distill.judging.gate import Evidence, Verdict, judge
from distill.judging.judgeable import judgeable, renamed_of
from distill.judging.little_gold import LittleGold, question_beside
from distill.judging.questions import Answered, Ask, Truth, question
from distill.judging.urn import Reference, Urn, fill_urn, reference_of
from distill.labels.judges import Judges
from distill.learning.making import Made
from schemas.files.task import Task
from schemas.files.task_identity import asked_facts
from schemas.settings import DistillSettings
from schemas.types import facts
from stream.student import Student

_RULE = ("f1_low", "gain", "gain_low", "gain_expected")
_SAMPLED = 300
"""So many of the judges' records, the newest, judge beside the questions: older ones tell of a
stream that has moved on."""


@dataclass(frozen=True, slots=True)
class Questions:
    """What may be asked where there is no gold: about which texts, and how many at most.

    What the teacher has said of some is `known`, and no question.

    `asking` takes how many are meant to be asked, and opens the way to the teacher.
    """

    texts: Sequence[str]
    known: Mapping[str, Truth]
    most: int
    patience_left: int | None
    """After so many rounds more a proof is no longer asked for; None: it always is."""
    asking: Callable[[int], AbstractContextManager[Ask]]
    known_gold: Mapping[str, Truth] = field(default_factory=dict)
    """What the teacher has said of texts of gold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A candidate that was trained and judged."""

    version: str
    bundle: Path
    """Its folder, kept for the newest rounds; the bundle store copies a promoted one."""
    judged_on: str
    verdict: Verdict
    challenger: Evaluation
    champion: Evaluation | None
    facts: Mapping[str, float]

    def metrics(self) -> dict[str, float]:
        """Give the figures that manifest and promotion carry."""
        evaluation, interval = self.challenger, self.verdict.interval
        name = "gain" if self.champion else "f1"
        metrics = {
            "records": float(evaluation.n_records),
            "f1": evaluation.scores.f1,
            "precision": evaluation.scores.precision,
            "recall": evaluation.scores.recall,
            "exact_share": evaluation.exact_share,
            "ece": evaluation.ece,
            name: interval.estimate,
            f"{name}_low": interval.low,
            f"{name}_high": interval.high,
            **evaluation.figures.metrics(evaluation),
        }
        if evaluation.auroc is not None:
            metrics["auroc"] = evaluation.auroc
        # The rule that it passed stands with it, whatever the settings say later.
        rule = {f"{c.name}_bound": c.bound for c in self.verdict.checks if c.name in _RULE}
        return metrics | rule

    def as_dict(self) -> dict[str, Any]:
        """Give the figures for JSON."""
        return {
            "judged_on": self.judged_on,
            "bundle": str(self.bundle),
            "verdict": self.verdict.as_dict(),
            "challenger": self.challenger.as_dict(),
            "champion": self.champion.as_dict() if self.champion else None,
            "facts": dict(self.facts),
        }


def hold_trial(
    made: Made,
    champion: Student | None,
    judges: Judges,
    *,
    task: Task,
    bundle: Path,
    settings: DistillSettings,
    questions: Questions | None = None,
) -> Trial:
    """Let both students tag the judges' records side by side, and ask the gate.

    With `questions`, and a champion, the teacher's answers to these decide, beside what is known of
    the judges' records, or a little gold with his help; and these say what else there is to say.
    `bundle` is the folder that the student will be saved in.
    """
    gate = settings.gate
    students = [Student(made.bundle), *([champion] if champion else [])]
    examples = judgeable(judges.examples, students, task=task)
    evaluations = [
        evaluate(
            student,
            examples,
            resamples=gate.resamples,
            confidence=gate.confidence,
            seed=settings.seed,
            renamed=renamed_of(student, task),
            calibrated_on=judges.calibrate and student is students[0],
        )
        for student in students
    ]
    texts = questions.texts if questions else [example.text for example in examples]
    speeds = compare_speed(students, texts)
    candidates = [
        evaluation.candidate(cpu_s_per_1000=speed)
        for evaluation, speed in zip(evaluations, speeds, strict=True)
    ]
    evidence = Evidence(
        gold=[facts(example) for example in examples],
        challenger=candidates[0],
        champion=candidates[1] if champion else None,
        parity_failures=made.parity_failures,
    )
    if champion and questions:
        changed = made.stream_changed and not _ages_labels(champion)
        presumed = _burden_turns(questions, changed=changed) and _learnt_more(students)
        verdict = _by_questions(
            evidence,
            evaluations[1],
            students,
            judges,
            questions=questions,
            presumed_at=settings.judging.batch if presumed else None,
            changed=changed,
            task=task,
            settings=settings,
        )
    else:
        verdict = judge(evidence, gate, seed=settings.seed, by=judges.source)
    return Trial(
        version=made.bundle.manifest.version,
        bundle=bundle,
        judged_on=judges.source,
        verdict=verdict,
        challenger=evaluations[0],
        champion=evaluations[1] if champion else None,
        facts=made.facts,
    )


def _burden_turns(questions: Questions, *, changed: bool) -> bool:
    """Whether a proof is no longer asked for: see `presumption.py`."""
    left = questions.patience_left
    return left is not None and (changed or left == 0)


def _ages_labels(champion: Student) -> bool:
    """Whether the champion was made when older labels told less of the stream already."""
    recipe = champion.manifest.lineage.get("recipe", {})
    return recipe.get("label_half_life") is not None


def _learnt_more(students: Sequence[Student]) -> bool:
    """Whether the challenger, who comes first, has learnt from more labels than the champion."""
    of = [one.manifest.lineage.get("splits", {}).get("training", 0) for one in students]
    return bool(of[0] > of[1] > 0)


@contextmanager
def _nobody() -> Iterator[Ask]:
    """Open no way to the teacher, where there is nothing to ask."""
    yield lambda _texts: {}


def _urn(students: Sequence[Student], texts: Sequence[str], *, task: Task) -> Urn:
    """Let the challenger and then the champion tag the texts; compare in today's names."""
    challenger, champion = (
        [
            asked_facts(tagging, (), renamed_of(student, task))
            for tagging in student.tag(texts, micro_batch_records=MICRO_BATCH_RECORDS)
        ]
        for student in students
    )
    return fill_urn(texts, champion, challenger, seed=students[0].version)


def _by_questions(
    known: Evidence,
    champion: Evaluation,
    students: Sequence[Student],
    judges: Judges,
    *,
    questions: Questions,
    presumed_at: int | None,
    changed: bool,
    task: Task,
    settings: DistillSettings,
) -> Verdict:
    reference = reference_of(champion.scores.overall)
    sample = {one.text: facts(one) for one in judges.examples[-_SAMPLED:] if not one.unasked}
    beside = _beside_gold if judges.digest else _beside_sample
    answered = beside(
        students, sample, reference, questions=questions, task=task, settings=settings
    )
    contest = Contest(known, answered, reference, presumed_at, changed)
    return judge_differing(contest, settings.gate)


def _beside_sample(
    students: Sequence[Student],
    sample: Mapping[str, Truth],
    reference: Reference,
    *,
    questions: Questions,
    task: Task,
    settings: DistillSettings,
) -> Answered:
    """Ask about the stream's texts, where what is known of a random sample judges beside them."""
    # Of texts that are alike the first stands for all.
    urn = _urn(students, [*sample, *questions.texts], task=task)
    unknown = sum(x.text not in sample and x.text not in questions.known for x in urn.differing)
    most = min(questions.most, settings.judging.questions, unknown)
    with questions.asking(most) if most else _nobody() as ask:
        return question(
            urn,
            ask,
            known=questions.known,
            sample=sample,
            most=most,
            batch=settings.judging.batch,
            reference=reference,
            gate=settings.gate,
        )


def _beside_gold(
    students: Sequence[Student],
    people: Mapping[str, Truth],
    reference: Reference,
    *,
    questions: Questions,
    task: Task,
    settings: DistillSettings,
) -> Answered:
    """Ask about a little gold, which judges, and about the stream's texts."""
    urn = _urn(students, questions.texts, task=task)
    gold = LittleGold(_urn(students, [*people], task=task), people, questions.known_gold)
    unknown = sum(x.text not in questions.known for x in urn.differing) + len(gold.unknown)
    most = min(questions.most, settings.judging.questions, unknown)
    with questions.asking(most) if most else _nobody() as ask:
        return question_beside(
            gold,
            urn,
            ask,
            known=questions.known,
            most=most,
            batch=settings.judging.batch,
            reference=reference,
            gate=settings.gate,
        )
