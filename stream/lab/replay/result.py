"""What a replay found: the JSON's shape, in one place.

F1 is strict (span and label) micro F1 in [0, 1]; shares are of the records; money is in USD.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherResult:
    """The teacher's quality on what it answered, and its bill, cold start included.

    `calls` are HTTP answers with a usage, `labels` distinct texts labelled, `refused`
    texts asked for in vain.
    """

    f1: float
    calls: int
    labels: int
    refused: int
    tokens_in: int
    tokens_out: int
    bill_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamResult:
    """Each record's last revision against gold, and what it cost the tag worker.

    `records_per_s` runs from the first text produced to the last revision 1, summed over
    the rounds; `cpu_s_per_1000` is the worker process's CPU time, all threads.
    """

    f1: float
    precision: float
    recall: float
    wanted_share: float
    deferred_share: float
    records_per_s: float
    cpu_s_per_1000: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedRound:
    """One round. `labels` are those that came in during it, `labels_total` all so far.

    `student` is the challenger trained after it ("" where distill made none), scored on
    the held-out file; `reason` is the gate's.
    """

    records: int
    deferred: int
    wanted: int
    labels: int
    labels_total: int
    stream_f1: float
    student: str
    student_f1: float | None
    student_f1_interval: tuple[float, float] | None
    promoted: bool
    reason: str
    serving: str
    """The version that tagged this round."""
    distill_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayResult:
    """The whole. `students` has `cold` and `last`, with the ceiling `ceiling` and `plain`."""

    records: int
    lost: int
    duplicated: int
    uncorrected: int
    dead_lettered: int
    seed: int
    routing: str
    teacher: TeacherResult
    stream: StreamResult
    students: dict[str, dict[str, Any]]
    rounds: tuple[ReplayedRound, ...]
    failure: str = ""
    """Why the replay is not whole: its stream stood still, or a ceiling could not be trained."""
    options: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)
