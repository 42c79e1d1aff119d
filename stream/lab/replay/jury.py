"""What became of each candidate: the gate's decision, and our own score on held-out texts.

The held-out file is the replay's, not the gate's: it measures, it decides nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.files.corpus import Example
from schemas.files.task import Task
from stream.lab.system import System
from stream.student import Student

_OF_CATEGORIES = ("accuracy", "macro_f1", "micro_f1")


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a round of distill came to: the gate's answer, and strict F1 on the held-out file.

    Where nothing was trained `student` is "" and there is no F1; `reason` says why.
    """

    student: str
    promoted: bool
    reason: str
    labels: int
    f1: float | None
    f1_interval: tuple[float, float] | None
    of_categories: Mapping[str, Any] = field(default_factory=dict)
    judged: Mapping[str, Any] | None = None
    """By what it was judged: `by`, `asked`, `differing`, `interval`; None where it was not."""
    cleaning: Mapping[str, int] | None = None
    """What became of the labels that were doubted; None where none were."""
    doubts: Path | None = None
    """The list of these."""

    def facts(self) -> dict[str, Any]:
        """Say what the JSON says of a student."""
        return {
            "f1": self.f1,
            "f1_interval": self.f1_interval,
            **self.of_categories,
            "version": self.student,
            "labels": self.labels,
        }


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A student on the held-out file: F1 with its interval, and what else is said of categories."""

    f1: float
    f1_interval: tuple[float, float]
    of_categories: Mapping[str, Any]

    def facts(self) -> dict[str, Any]:
        """Say what the JSON says of a student's quality."""
        return {"f1": self.f1, "f1_interval": self.f1_interval, **self.of_categories}


@dataclass(slots=True)
class Jury:
    """Runs distill and judges what comes of it; knows which student serves."""

    held_out: Sequence[Example]
    seed: int
    task: Task
    rulings: list[Ruling] = field(default_factory=list)

    @property
    def champion(self) -> Ruling | None:
        """The ruling on the student that serves; None before the first promotion."""
        return next((one for one in reversed(self.rulings) if one.promoted), None)

    async def next_ruling(self, system: System) -> Ruling:
        """Run one `silverstream distill`, and score its candidate if it made one."""
        path = system.space.round_result
        await system.run("distill", "distill", "--force", "--json", str(path))
        result = json.loads(path.read_text(encoding="utf-8"))
        ruling = await asyncio.to_thread(self._judge, result)
        self.rulings.append(ruling)
        return ruling

    def _judge(self, result: dict[str, Any]) -> Ruling:
        from distill.archive import DOUBTS_NAME

        found: HeldOut | None = None
        if result["trial"]:
            student = Student.load(Path(result["trial"]["bundle"]))
            found = on_held_out(student, self.held_out, seed=self.seed)
        return Ruling(
            student=result["student"],
            promoted=result["promote"],
            reason=result["reason"],
            labels=result["labels"],
            f1=found.f1 if found else None,
            f1_interval=found.f1_interval if found else None,
            of_categories=found.of_categories if found else {},
            judged=_judged(result),
            cleaning=result["cleaning"],
            doubts=Path(result["trial"]["bundle"]).parent / DOUBTS_NAME if found else None,
        )


def _judged(result: dict[str, Any]) -> dict[str, Any] | None:
    """Reduce a round's JSON to what a replay says of its judge."""
    if not result["trial"]:
        return None
    judged = result["trial"]["verdict"]["judged"]
    interval = judged["interval"]
    return {
        "by": judged["by"],
        "asked": judged["asked"],
        "differing": judged["differing"],
        "interval": (interval["low"], interval["high"]),
    }


def on_held_out(student: Student, examples: Sequence[Example], *, seed: int) -> HeldOut:
    """Judge a student through the serving code, with bootstrap intervals."""
    from distill.judging.evaluation import evaluate

    found = evaluate(student, examples, seed=seed)
    said = found.as_dict()
    of_categories = {name: said[name] for name in _OF_CATEGORIES if name in said}
    if interval := said.get("accuracy_interval"):
        of_categories["accuracy_interval"] = (interval["low"], interval["high"])
    return HeldOut(found.scores.f1, (found.f1_interval.low, found.f1_interval.high), of_categories)
