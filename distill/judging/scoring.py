"""F1 over facts, and how sure one may be of it.

A fact is an entity or a category (`schemas.types.facts`): an entity counts when start, end and
label all agree (the CoNLL-2003 measure). All figures are micro averages: the counts of all
records are added before dividing. Where nothing was to be found and nothing was said the F1 is 0,
as in seqeval. Where each record has one category, and is given one, this F1 is the accuracy.

Intervals are percentile bootstraps over *records* (Efron 1979; for paired systems Berg-Kirkpatrick
et al., "An Empirical Investigation of Statistical Significance in NLP", 2012): facts of one
text stand and fall together, so records are what is drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.types import Fact

Said = Sequence[Collection[Fact]]
"""The facts of each record, in the records' order; repeats count once."""

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LabelScore:
    """Counts of one label, or of all labels together, and what follows from them."""

    correct: int
    predicted: int
    gold: int

    @property
    def precision(self) -> float:
        """Share of the predicted facts that are right; 0 without any."""
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold facts that were found; 0 without any."""
        return self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of the two: 2 correct / (predicted + gold)."""
        both = self.predicted + self.gold
        return 2 * self.correct / both if both else 0.0

    def as_dict(self) -> dict[str, float]:
        """Give the figures for JSON."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "correct": self.correct,
            "predicted": self.predicted,
            "gold": self.gold,
        }


@dataclass(frozen=True, slots=True)
class Scores:
    """Micro-averaged scores over a corpus, and by label."""

    overall: LabelScore
    per_label: dict[str, LabelScore]

    @property
    def precision(self) -> float:
        """Micro precision."""
        return self.overall.precision

    @property
    def recall(self) -> float:
        """Micro recall."""
        return self.overall.recall

    @property
    def f1(self) -> float:
        """Micro F1."""
        return self.overall.f1

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the labels that gold has or that were said; 0 without any."""
        f1s = [score.f1 for score in self.per_label.values()]
        return sum(f1s) / len(f1s) if f1s else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Give the figures for JSON."""
        labels = {label: score.as_dict() for label, score in sorted(self.per_label.items())}
        return {**self.overall.as_dict(), "per_label": labels}


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and the two ends of its bootstrap interval."""

    estimate: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """Give the figures for JSON."""
        return {"estimate": self.estimate, "low": self.low, "high": self.high}


def fact_counts(gold: Said, predicted: Said) -> Counts:
    """Per record: correct, predicted and gold facts; int64 of shape [records, 3].

    Raises `ValueError` when the two differ in length.
    """
    rows = [
        (len(wanted & said), len(said), len(wanted))
        for wanted, said in zip(map(frozenset, gold), map(frozenset, predicted), strict=True)
    ]
    return np.array(rows, dtype=np.int64).reshape(len(rows), 3)


def score(gold: Said, predicted: Said) -> Scores:
    """Score `predicted` against `gold`, record by record."""
    correct: Counter[str] = Counter()
    said: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    for truth, answer in zip(map(frozenset, gold), map(frozenset, predicted), strict=True):
        wanted.update(label for _, _, label in truth)
        said.update(label for _, _, label in answer)
        correct.update(label for _, _, label in truth & answer)
    per_label = {
        label: LabelScore(correct[label], said[label], wanted[label])
        for label in sorted(wanted.keys() | said.keys())
    }
    overall = LabelScore(correct.total(), said.total(), wanted.total())
    return Scores(overall=overall, per_label=per_label)


def exactly_right(gold: Said, predicted: Said) -> NDArray[np.bool_]:
    """Per record: is the whole tagging right? bool of shape [records]."""
    return np.array(
        [frozenset(truth) == frozenset(said) for truth, said in zip(gold, predicted, strict=True)],
        dtype=np.bool_,
    )


def f1_interval(
    gold: Said, predicted: Said, *, resamples: int, confidence: float, seed: int
) -> Interval:
    """Bootstrap interval of the F1 of one student."""
    counts = fact_counts(gold, predicted)
    estimate = _f1(counts.sum(axis=0))
    draws = _f1(_resampled_sums(counts, resamples=resamples, seed=seed))
    return _interval(float(estimate), draws, confidence=confidence)


@dataclass(frozen=True, slots=True)
class Intervals:
    """Bootstrap intervals of the three figures, on the same drawn records."""

    precision: Interval
    recall: Interval
    f1: Interval

    def as_dict(self) -> dict[str, Any]:
        """Give the figures for JSON."""
        return {
            "precision": self.precision.as_dict(),
            "recall": self.recall.as_dict(),
            "f1": self.f1.as_dict(),
        }


def score_intervals(
    gold: Said, predicted: Said, *, resamples: int, confidence: float, seed: int
) -> Intervals:
    """Bootstrap intervals of precision, recall and F1 of one set of answers."""
    counts = fact_counts(gold, predicted)
    whole = counts.sum(axis=0)
    draws = _resampled_sums(counts, resamples=resamples, seed=seed)
    precision, recall, f1 = (
        _interval(float(of(whole)), of(draws), confidence=confidence)
        for of in (_precision, _recall, _f1)
    )
    return Intervals(precision, recall, f1)


def share_interval(
    right: NDArray[np.bool_], *, resamples: int, confidence: float, seed: int
) -> Interval:
    """Bootstrap interval of the share of records that are right; `right` bool [records]."""
    wanted = [{_RIGHT}] * len(right)
    said = [{_RIGHT} if one else {_WRONG} for one in right.tolist()]
    return f1_interval(wanted, said, resamples=resamples, confidence=confidence, seed=seed)


_RIGHT: Fact = (0, 0, "right")
_WRONG: Fact = (0, 0, "wrong")


def paired_bootstrap(
    gold: Said,
    champion: Said,
    challenger: Said,
    *,
    resamples: int,
    confidence: float,
    seed: int,
) -> Interval:
    """Interval of F1(challenger) - F1(champion), both on the same drawn records."""
    counts = np.hstack([fact_counts(gold, champion), fact_counts(gold, challenger)])
    estimate = _f1_gain(counts.sum(axis=0))
    draws = _f1_gain(_resampled_sums(counts, resamples=resamples, seed=seed))
    return _interval(float(estimate), draws, confidence=confidence)


def _resampled_sums(counts: Counts, *, resamples: int, seed: int) -> Counts:
    """Column sums of `resamples` draws with replacement; int64 of shape [resamples, columns].

    Ours, not `scipy.stats.bootstrap`: that draws indices, resamples x records of them. But
    records with the same counts cannot be told apart, so drawing how often each
    *distinct* row comes up is the same bootstrap, and needs memory for the few
    distinct rows only, however large the corpus.
    """
    if not len(counts):
        return np.zeros((resamples, counts.shape[1]), dtype=np.int64)
    rows, repeats = np.unique(counts, axis=0, return_counts=True)
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(len(counts), repeats / len(counts), size=resamples)
    sums: Counts = drawn @ rows
    return sums


def _f1(sums: Counts) -> NDArray[np.float64]:
    """F1 of (correct, predicted, gold) in the last axis."""
    both = sums[..., 1] + sums[..., 2]
    f1: NDArray[np.float64] = 2 * sums[..., 0] / np.maximum(both, 1)
    return f1


def _precision(sums: Counts) -> NDArray[np.float64]:
    share: NDArray[np.float64] = sums[..., 0] / np.maximum(sums[..., 1], 1)
    return share


def _recall(sums: Counts) -> NDArray[np.float64]:
    share: NDArray[np.float64] = sums[..., 0] / np.maximum(sums[..., 2], 1)
    return share


def _f1_gain(sums: Counts) -> NDArray[np.float64]:
    return _f1(sums[..., 3:]) - _f1(sums[..., :3])


def _interval(estimate: float, draws: NDArray[np.float64], *, confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(estimate=estimate, low=float(low), high=float(high))
