"""What became of each candidate: the gate's decision, and our own score on held-out texts.

The held-out file is the replay's, not the gate's: it measures, it decides nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.files.corpus import Example
from stream.lab.system import System
from stream.student import Student


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

    def facts(self) -> dict[str, Any]:
        """Say what the JSON says of a student."""
        return {
            "f1": self.f1,
            "f1_interval": self.f1_interval,
            "version": self.student,
            "labels": self.labels,
        }


@dataclass(slots=True)
class Jury:
    """Runs distill and judges what comes of it; knows which student serves."""

    held_out: Sequence[Example]
    seed: int
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
        f1: float | None = None
        interval: tuple[float, float] | None = None
        if result["trial"]:
            bundle = Path(result["trial"]["bundle"])
            f1, interval = held_out_f1(Student.load(bundle), self.held_out, seed=self.seed)
        return Ruling(
            student=result["student"],
            promoted=result["promote"],
            reason=result["reason"],
            labels=result["labels"],
            f1=f1,
            f1_interval=interval,
        )


def held_out_f1(
    student: Student, examples: Sequence[Example], *, seed: int
) -> tuple[float, tuple[float, float]]:
    """Strict F1 of a student through the serving code, and its bootstrap interval."""
    from distill.judging.evaluation import evaluate

    found = evaluate(student, examples, seed=seed)
    return found.scores.f1, (found.f1_interval.low, found.f1_interval.high)
