"""What a replay found: the JSON's shape, in one place.

F1 is strict micro F1 in [0, 1], of spans with their labels or of categories; for categories the
accuracy (the share of texts that are wholly right) and the macro F1 stand beside it. Shares are of
the records; money is in USD.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from schemas.files.kind import Kind

_OF_CATEGORIES = frozenset({"stream_accuracy", "student_accuracy"})


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
    of_categories: dict[str, float] = field(default_factory=dict)


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
    student_alone: dict[str, float]
    """The same records by the students of their time alone: F1, precision, recall, accuracy."""
    teacher_alone: dict[str, float]
    """The same records by the teacher's answers alone, recorded or gold; a refusal says nothing."""
    of_categories: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OverallResult:
    """The whole: the cold start's texts with the teacher's answers, and the stream.

    `f1` is None for categories, `accuracy` for entities; `calls` are all of the teacher's, about
    answered gold too.
    """

    records: int
    calls: int
    f1: float | None = None
    accuracy: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisedResult:
    """The whole once more, after `silverstream revise --answers`; `changed_by` counts records.

    Texts that the teacher answered, to judge too, have his answer, and the others what the last
    student says.
    """

    changed_by: dict[str, int]
    f1: float | None = None
    accuracy: float | None = None


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
    judged: Mapping[str, Any] | None = None
    """By what the challenger was judged: `by` gold, audits or `differing` texts, of which `asked`
    were asked about; the `interval` is that of its gain. None where there was none to judge."""
    stream_accuracy: float | None = None
    student_accuracy: float | None = None
    """Of categories; None for entities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayResult:
    """The whole. `students` has `cold` and `last`, and what was asked for of the others.

    These are `ceiling`, `plain` (all gold) and `recorded` (all recorded answers).
    """

    records: int
    lost: int
    duplicated: int
    uncorrected: int
    dead_lettered: int
    seed: int
    routing: str
    kind: Kind
    teacher: TeacherResult
    stream: StreamResult
    overall: OverallResult
    students: dict[str, dict[str, Any]]
    rounds: tuple[ReplayedRound, ...]
    revised: RevisedResult | None = None
    """None where `--revise` was not asked for."""
    promise: dict[str, Any] | None = None
    """The last promise, as `silverstream status` gives it, and whether gold says that all kept."""
    cleaning: dict[str, Any] | None = None
    """How the labels of the last round were cleaned: `doubted`, `changed`, `dropped` and
    `asked_again`, and the `gain` in the F1 of what is learnt; None where none were doubted."""
    failure: str = ""
    """Why the replay is not whole: its stream stood still, or a ceiling could not be trained."""
    options: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is of the other kind of task is left out."""
        found = asdict(self)
        for name in ("teacher", "stream"):
            found[name] |= found[name].pop("of_categories")
        for name in ("overall", "revised"):
            if found[name] is not None:
                found[name] = {what: x for what, x in found[name].items() if x is not None}
        rounds = [_of_kind(one, self.kind) for one in found["rounds"]]
        return found | {"rounds": rounds}


def headline(figures: Mapping[str, Any]) -> tuple[str, float]:
    """Give the name for people, and the value, of the measure that counts: accuracy, else F1."""
    name = "accuracy" if "accuracy" in figures else "f1"
    return ("accuracy" if name == "accuracy" else "F1"), figures[name]


def _of_kind(one: dict[str, Any], kind: Kind) -> dict[str, Any]:
    foreign = _OF_CATEGORIES if kind == "entities" else frozenset()
    return {name: value for name, value in one.items() if name not in foreign}
