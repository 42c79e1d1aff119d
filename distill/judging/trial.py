"""A trial: the student that was made against the one that serves, both as they would serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.judging.evaluation import Evaluation, compare_speed, evaluate
from distill.judging.gate import Evidence, Verdict, judge
from distill.labels.judges import Judges
from distill.learning.making import Made
from schemas.files.task import Task
from schemas.files.task_identity import Version
from schemas.settings import DistillSettings
from schemas.types import facts
from stream.student import Student

_RULE = ("f1_low", "gain", "gain_low")


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
) -> Trial:
    """Let both students tag the judges' records side by side, and ask the gate.

    `bundle` is the folder that the student will be saved in.
    """
    examples, gate = judges.examples, settings.gate
    students = [Student(made.bundle), *([champion] if champion else [])]
    evaluations = [
        evaluate(
            student,
            examples,
            resamples=gate.resamples,
            confidence=gate.confidence,
            seed=settings.seed,
            renamed=task.versions.get(student.manifest.task_digest, Version()).renamed,
        )
        for student in students
    ]
    speeds = compare_speed(students, [example.text for example in examples])
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
    return Trial(
        version=made.bundle.manifest.version,
        bundle=bundle,
        judged_on=judges.source,
        verdict=judge(evidence, gate, seed=settings.seed),
        challenger=evaluations[0],
        champion=evaluations[1] if champion else None,
        facts=made.facts,
    )
