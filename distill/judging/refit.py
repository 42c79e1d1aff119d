"""The winner learns what judged it: a student of all labels takes its place.

What the teacher said where two students differ is the dearest there is to learn, and was kept from
the challenger so that it could judge. Once it has, nothing is gained by waiting another round: the
same recipe is fitted again to all labels, as after a cross-validation. No answer is left that
could judge this student: it must do as the winner did on the records that nobody learns, or the
winner serves.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from distill.judging.evaluation import Evaluation, evaluate
from distill.judging.gate import ece_check
from distill.judging.judgeable import judgeable, renamed_of
from distill.judging.scoring import Said, paired_bootstrap
from distill.judging.trial import Trial
from distill.labels.judges import Judges
from distill.learning.making import Made
from schemas.files.task import Task
from schemas.settings import DistillSettings
from schemas.types import facts
from stream.student import Student

_log = structlog.get_logger(__name__)


def refitted(
    trial: Trial,
    winner: Made,
    whole: Made,
    judges: Judges,
    *,
    task: Task,
    settings: DistillSettings,
) -> Trial | None:
    """Give the trial with `whole`, made of all labels, in the winner's place; None if it is worse.

    The verdict stays: it is the winner's.
    """
    students = [Student(whole.bundle), Student(winner.bundle)]
    examples = judgeable(judges.examples, students, task=task)
    now, before = (
        evaluate(
            student,
            examples,
            resamples=settings.gate.resamples,
            confidence=settings.gate.confidence,
            seed=settings.seed,
            renamed=renamed_of(student, task),
        )
        for student in students
    )
    gold = [facts(example) for example in examples]
    if reason := _worse(whole, now, before, gold=gold, settings=settings):
        _log.warning("refit_refused", student=trial.version, reason=reason)
        return None
    return replace(trial, challenger=now, facts=whole.facts)


def _worse(
    whole: Made, now: Evaluation, before: Evaluation, *, gold: Said, settings: DistillSettings
) -> str:
    """Say what went wrong in the second training; "" where nothing did."""
    gate = settings.gate
    if whole.parity_failures:
        return "parity failed"
    interval = paired_bootstrap(
        gold,
        before.predicted,
        now.predicted,
        resamples=gate.resamples,
        confidence=gate.confidence,
        seed=settings.seed,
    )
    if interval.high < -gate.max_loss:
        return "F1 dropped"
    told = len(gold) >= gate.min_records
    check = ece_check(before.candidate(cpu_s_per_1000=1.0), now.candidate(cpu_s_per_1000=1.0), gate)
    return check.reason if told and not check.passed else ""
