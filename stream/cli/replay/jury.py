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

from schemas.corpus import Example
from stream.cli.replay.system import System


@dataclass(frozen=True, slots=True)
class Trial:
    """A candidate, the gate's answer, and its strict F1 on the held-out file."""

    student: str
    promoted: bool
    reason: str
    f1: float
    f1_interval: tuple[float, float]
    labels: int


@dataclass(slots=True)
class Jury:
    """Runs distill and judges what comes of it; knows which student serves."""

    held_out: Sequence[Example]
    rounds: Path
    """The folder where distill keeps `<version>/decision.json` and its newest bundles."""
    seed: int
    trials: list[Trial] = field(default_factory=list)

    @property
    def champion(self) -> str:
        """The version that serves, "" before the first promotion."""
        return next((one.student for one in reversed(self.trials) if one.promoted), "")

    async def next_trial(self, system: System) -> Trial | None:
        """Run one `silverstream distill`; None where it made no candidate."""
        before = self._decided()
        await system.run("distill", "distill", "--force")
        new = sorted(self._decided() - before)
        if not new:
            return None
        trial = await asyncio.to_thread(self._judge, new[-1])
        self.trials.append(trial)
        return trial

    def _decided(self) -> set[str]:
        return {path.parent.name for path in self.rounds.glob("*/decision.json")}

    def _judge(self, version: str) -> Trial:
        folder = self.rounds / version
        decision = json.loads((folder / "decision.json").read_text(encoding="utf-8"))
        f1, interval = held_out_f1(folder / "bundle", self.held_out, seed=self.seed)
        return Trial(
            student=version,
            promoted=decision["promote"],
            reason=decision["reason"],
            f1=f1,
            f1_interval=interval,
            labels=decision["labels"],
        )


def held_out_f1(
    bundle: Path, examples: Sequence[Example], *, seed: int
) -> tuple[float, tuple[float, float]]:
    """Strict F1 of a bundle through the serving code, and its bootstrap interval."""
    from distill.evaluation import evaluate
    from stream.student import Student

    found = evaluate(Student.load(bundle), examples, seed=seed)
    return found.scores.f1, (found.f1_interval.low, found.f1_interval.high)


def facts(trial: Trial) -> dict[str, Any]:
    """Say what the JSON says of a student."""
    return {"f1": trial.f1, "f1_interval": trial.f1_interval, "version": trial.student}
