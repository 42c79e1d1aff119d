"""Each candidate of the demo: the gate's answer, and its F1 before and after the drift.

F1 of facts, so that of one category a text it is the accuracy.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from schemas.files.corpus import Example
from schemas.types import facts


@dataclass(frozen=True, slots=True)
class ScoredStudent:
    """F1 on held-out texts: all, those of the early style, those of the late one."""

    version: str
    promoted: bool
    reason: str
    labels: int
    f1: float
    f1_early: float
    f1_late: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(slots=True)
class Bench:
    """Finds the decisions that distill leaves behind and scores the candidates."""

    rounds: Path
    early: Sequence[Example]
    late: Sequence[Example]
    judged: list[ScoredStudent] = field(default_factory=list)

    async def look(self) -> list[ScoredStudent]:
        """Score the candidates that were decided on since the last look, oldest first."""
        known = {one.version for one in self.judged}
        found = sorted(path.parent for path in self.rounds.glob("*/decision.json"))
        new = [
            await asyncio.to_thread(self._score, folder)
            for folder in found
            if folder.name not in known
        ]
        self.judged += new
        return new

    def _score(self, folder: Path) -> ScoredStudent:
        from distill.judging.scoring import score
        from stream.student import Student

        decision = json.loads((folder / "decision.json").read_text(encoding="utf-8"))
        student = Student.load(folder / "bundle")
        examples = [*self.early, *self.late]
        gold = [facts(example) for example in examples]
        said = [facts(tagging) for tagging in student.tag([one.text for one in examples])]
        n = len(self.early)
        return ScoredStudent(
            version=folder.name,
            promoted=decision["promote"],
            reason=decision["reason"],
            labels=decision["labels"],
            f1=score(gold, said).f1,
            f1_early=score(gold[:n], said[:n]).f1,
            f1_late=score(gold[n:], said[n:]).f1,
        )
