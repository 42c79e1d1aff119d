"""A student's figures on labelled records, taken through the code that serves.

CPU seconds are those of the process, all threads; where two students are compared they
take turns on the same texts and the median of the turns counts, so that whatever else the
machine does meanwhile hits both alike.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from distill.judging.calibration import crossfitted, expected_calibration_error
from distill.judging.figures import Figures, figures_of
from distill.judging.gate import Candidate
from distill.judging.scoring import (
    Interval,
    Said,
    Scores,
    exactly_right,
    f1_interval,
    score,
    share_interval,
)
from distill.labels.splits import in_first_half
from schemas.files.corpus import Example
from schemas.files.task_identity import asked_facts
from schemas.types import Tagging, facts, text_digest
from stream.student import Student

MICRO_BATCH_RECORDS = 32
SPEED_RECORDS = 512
"""The most texts that a comparison of speed reads."""
SPEED_TURNS = 5


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a student does on a corpus.

    `exact_share` is the share of records whose whole tagging is right; `ece` the expected
    calibration error of their confidences; `auroc` the chance that a right record is surer than
    a wrong one (None unless there are both); the intervals, of the F1 and of `exact_share`, are
    bootstraps.
    """

    figures: Figures
    taggings: tuple[Tagging, ...]
    predicted: Said
    """What was said of each record, in today's names, without what its label cannot judge."""
    scores: Scores
    f1_interval: Interval
    exact_share: float
    exact_interval: Interval
    mean_confidence: float
    ece: float
    auroc: float | None
    cpu_s_per_1000: float
    records_per_s: float

    @property
    def n_records(self) -> int:
        """Records judged."""
        return len(self.taggings)

    def as_dict(self) -> dict[str, Any]:
        """Give the figures for JSON."""
        return {
            "records": self.n_records,
            **self.figures.quality(self),
            "exact_share": self.exact_share,
            "mean_confidence": self.mean_confidence,
            "ece": self.ece,
            "auroc": self.auroc,
            "cpu_s_per_1000": self.cpu_s_per_1000,
            "records_per_s": self.records_per_s,
        }

    def candidate(self, *, cpu_s_per_1000: float) -> Candidate:
        """Turn into what the gate reads, with the speed that was measured side by side."""
        return Candidate(self.predicted, ece=self.ece, cpu_s_per_1000=cpu_s_per_1000)


def evaluate(
    student: Student,
    examples: Sequence[Example],
    *,
    resamples: int = 1000,
    confidence: float = 0.90,
    seed: int = 0,
    renamed: Mapping[str, str] = MappingProxyType({}),
    calibrated_on: bool = False,
) -> Evaluation:
    """Tag every example and hold the answers against its annotation.

    `renamed` maps the names of the student's labels to today's, where they differ. Of a student
    that was `calibrated_on` examples like these, or these, `ece` is by cross-fitting.
    """
    texts = [example.text for example in examples]
    taggings, cpu_s, wall_s = _timed(student, texts)
    gold = [facts(example) for example in examples]
    predicted = [
        asked_facts(tagging, example.unasked, renamed)
        for tagging, example in zip(taggings, examples, strict=True)
    ]
    right = exactly_right(gold, predicted)
    confidences = np.array([tagging.confidence for tagging in taggings], dtype=np.float64)
    n = max(len(texts), 1)
    return Evaluation(
        figures=figures_of(student.manifest),
        taggings=tuple(taggings),
        predicted=predicted,
        scores=score(gold, predicted),
        f1_interval=f1_interval(
            gold, predicted, resamples=resamples, confidence=confidence, seed=seed
        ),
        exact_share=float(right.sum()) / n,
        exact_interval=share_interval(right, resamples=resamples, confidence=confidence, seed=seed),
        mean_confidence=float(confidences.sum()) / n,
        ece=_ece(taggings, right, texts if calibrated_on else ()),
        auroc=auroc(confidences, right),
        cpu_s_per_1000=1000 * cpu_s / n,
        records_per_s=len(texts) / max(wall_s, 1e-9),
    )


def _ece(
    taggings: Sequence[Tagging], right: NDArray[np.bool_], calibrated_on: Sequence[str]
) -> float:
    """Measure it; where the texts calibrated the student, of what each half makes of the other."""
    if not calibrated_on:
        confidences = np.array([tagging.confidence for tagging in taggings], dtype=np.float64)
        return expected_calibration_error(confidences, right)
    scores = np.array([tagging.score for tagging in taggings], dtype=np.float64)
    first = np.array([in_first_half(text_digest(text)) for text in calibrated_on], dtype=np.bool_)
    return expected_calibration_error(crossfitted(scores, right, first), right)


def auroc(confidences: NDArray[np.float64], right: NDArray[np.bool_]) -> float | None:
    """Area under the ROC curve of "this record is right", ties counted half.

    Both of shape [records]. None unless there are right and wrong records.
    """
    return float(roc_auc_score(right, confidences)) if right.any() and not right.all() else None


def compare_speed(
    students: Sequence[Student], texts: Sequence[str], *, turns: int = SPEED_TURNS
) -> list[float]:
    """CPU seconds per 1,000 records of each student: medians of `turns`, taken in turns."""
    texts = list(texts[:SPEED_RECORDS])
    if not texts:
        return [0.0] * len(students)
    seconds: list[list[float]] = [[] for _ in students]
    for student in students:
        student.tag(texts[:MICRO_BATCH_RECORDS], micro_batch_records=MICRO_BATCH_RECORDS)
    for _ in range(turns):
        for student, taken in zip(students, seconds, strict=True):
            taken.append(_timed(student, texts)[1])
    return [1000 * median(taken) / len(texts) for taken in seconds]


def _timed(student: Student, texts: Sequence[str]) -> tuple[list[Tagging], float, float]:
    """Tag; the taggings, CPU seconds and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    taggings = student.tag(texts, micro_batch_records=MICRO_BATCH_RECORDS)
    return taggings, time.process_time() - cpu, time.perf_counter() - wall
