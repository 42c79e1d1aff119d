"""From the worst word's probability to the chance that the record is right.

Fitted on the exported model through `stream.student`, on labels that were not chosen
by uncertainty: what was chosen because the student was unsure says little about the rest.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from schemas.files.manifest import Calibration

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]

_EPSILON = 1e-6
_PRIOR_MEAN = np.array([1.0, 0.0])
_PRIOR_PRECISION = np.array([4.0, 1.0])
_MIN_SLOPE = 0.05
_NEWTON_STEPS = 50
_N_BINS = 10
_CERTAINTY = 0.75


def fit_calibration(scores: Floats, right: Bools) -> Calibration:
    """Fit slope and intercept (Platt) on [n] scores in [0, 1] and [n] "exactly right".

    A prior of slope 1 +- 0.5 and intercept 0 +- 1 decides while there are few examples, and is
    soon outweighed; with none the identity comes back. The slope stays above 0, so
    that no calibration ever reorders records.
    """
    features = np.stack([_log_odds(scores), np.ones(len(scores))], axis=1)
    slope, intercept = _posterior_mode(features, right.astype(np.float64))
    if slope < _MIN_SLOPE:
        intercept = _intercept_at(_MIN_SLOPE, features, right.astype(np.float64))
        slope = _MIN_SLOPE
    return Calibration(slope=float(slope), intercept=float(intercept))


def choose_threshold(confidences: Floats, right: Bools, target_accuracy: float) -> float:
    """Find the lowest confidence from which on records are right as often as wished.

    Records at or above it are accepted. It is the lowest at which a share of right
    records under `target_accuracy` is excluded with certainty 0.75 (one-sided, Clopper and
    Pearson): the bare share would promise too much in about half of all cases, and 0.95
    would defer everything until there are hundreds of examples. The certainty is that of
    one look; the lowest of many passes more easily, so take it as a margin, not as a
    guarantee. 1.0 when there is none.
    """
    order = np.argsort(-confidences, kind="stable")
    ordered = confidences[order]
    n_wrong = np.cumsum(~right[order])
    last_of_ties = np.append(ordered[1:] != ordered[:-1], [True])[: len(ordered)]
    for i in np.flatnonzero(last_of_ties)[::-1]:
        if _chance_of_so_few(int(n_wrong[i]), int(i) + 1, 1 - target_accuracy) <= 1 - _CERTAINTY:
            return float(ordered[i])
    return 1.0


def expected_calibration_error(confidences: Floats, right: Bools) -> float:
    """Mean distance between confidence and share of right records, over ten bins of equal size.

    Equal sizes, for most records are very sure and bins of equal width would be empty.
    0.0 when there are no records.
    """
    if not len(confidences):
        return 0.0
    order = np.argsort(confidences, kind="stable")
    bins = np.array_split(order, min(_N_BINS, len(order)))
    gaps = [len(bin_) * abs(confidences[bin_].mean() - right[bin_].mean()) for bin_ in bins]
    return float(sum(gaps) / len(order))


def _log_odds(scores: Floats) -> Floats:
    """As `Calibration.apply` sees the score."""
    clipped = np.clip(scores.astype(np.float64), _EPSILON, 1 - _EPSILON)
    return np.asarray(np.log(clipped / (1 - clipped)))


def _posterior_mode(features: Floats, right: Floats) -> Floats:
    """Newton's method on a convex function of two numbers; steps are halved until they help."""
    weights = _PRIOR_MEAN.copy()
    for _ in range(_NEWTON_STEPS):
        chances = _sigmoid(features @ weights)
        gradient = features.T @ (chances - right) + _PRIOR_PRECISION * (weights - _PRIOR_MEAN)
        spread = chances * (1 - chances)
        curvature = (features.T * spread) @ features + np.diag(_PRIOR_PRECISION)
        step = np.linalg.solve(curvature, gradient)
        weights = _stepped(weights, step, features, right)
        if np.abs(step).max() < 1e-9:  # noqa: PLR2004 - converged
            break
    return weights


def _stepped(weights: Floats, step: Floats, features: Floats, right: Floats) -> Floats:
    before = _loss(weights, features, right)
    for halvings in range(30):
        candidate = weights - step * 0.5**halvings
        if _loss(candidate, features, right) <= before:
            return candidate
    return weights


def _loss(weights: Floats, features: Floats, right: Floats) -> float:
    logits = features @ weights
    surprise = np.logaddexp(0, logits) - right * logits
    prior = _PRIOR_PRECISION * (weights - _PRIOR_MEAN) ** 2 / 2
    return float(surprise.sum() + prior.sum())


def _intercept_at(slope: float, features: Floats, right: Floats) -> float:
    """Bisect the only root: the derivative by the intercept grows with it."""
    low, high = -50.0, 50.0
    for _ in range(60):
        middle = (low + high) / 2
        chances = _sigmoid(slope * features[:, 0] + middle)
        growing = (chances - right).sum() + _PRIOR_PRECISION[1] * middle > 0
        low, high = (low, middle) if growing else (middle, high)
    return (low + high) / 2


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -700, 700))))


def _chance_of_so_few(n_wrong: int, n: int, share: float) -> float:
    """P(at most `n_wrong` of `n`) when each is wrong with chance `share`."""
    if share <= 0:
        return 1.0
    log_share, log_rest = math.log(share), math.log1p(-share) if share < 1 else -math.inf
    terms = (
        _log_choose(n, k) + k * log_share + ((n - k) * log_rest if k < n else 0.0)
        for k in range(n_wrong + 1)
    )
    return sum(math.exp(term) for term in terms)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
