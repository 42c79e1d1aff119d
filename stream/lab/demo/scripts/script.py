"""What a script says: all by which the demo of one kind differs from that of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from schemas.files.task import Task
from stream.lab.demo.feed import Author
from stream.lab.demo.measure import Measure
from stream.lab.demo.names import Pool


class MakeStyle(Protocol):
    """Makes the author of a pool's texts."""

    def __call__(self, pool: Pool, *, seed: int) -> Author:
        """Make it, with the pool's own names and sentences."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The task, who writes its texts before and after the drift, and what people are told."""

    task: Task
    early: MakeStyle
    late: MakeStyle
    drift: str
    measure: Measure
