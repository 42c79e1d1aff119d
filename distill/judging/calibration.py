"""From the worst word's probability to the chance that the record is right.

Fitted on the exported model through `stream.student`, on labels that were not chosen
by uncertainty: what was chosen because the student was unsure says little about the rest.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from schemas.files.manifest import Calibration

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]

_EPSILON = 1e-6
_PRIOR_MEAN = np.array([1.0, 0.0])
_PRIOR_PRECISION = np.array([4.0, 1.0])
_MIN_SLOPE = 0.05
_N_BINS = 10


def fit_calibration(scores: Floats, right: Bools) -> Calibration:
    """Fit slope and intercept (Platt) on [n] scores in [0, 1] and [n] "exactly right".

    A prior of slope 1 +- 0.5 and intercept 0 +- 1 decides while there are few examples, and is
    soon outweighed; with none the identity comes back. The slope stays above 0, so
    that no calibration ever reorders records.
    """
    features = np.stack([_log_odds(scores), np.ones(len(scores))], axis=1)
    # The prior's curvature is 1 at least, so a gradient of 1e-6 is within 1e-6 of the only optimum.
    found = minimize(
        _loss,
        _PRIOR_MEAN,
        args=(features, right.astype(np.float64)),
        method="L-BFGS-B",
        jac=True,
        bounds=[(_MIN_SLOPE, None), (None, None)],
        options={"ftol": 0.0, "gtol": 1e-6},
    )
    slope, intercept = found.x
    return Calibration(slope=float(slope), intercept=float(intercept))


def crossfitted(scores: Floats, right: Bools, first: Bools) -> Floats:
    """Give the confidences of [n] scores, each by a calibration that has not seen its half.

    `first` tells the two halves, bool [n]: what is fitted on the one calibrates the other. So all
    records may calibrate a student, and all may say how far its confidences lie.
    """
    found = np.empty(len(scores), dtype=np.float64)
    for half in (first, ~first):
        found[half] = fit_calibration(scores[~half], right[~half]).apply(scores[half])
    return found


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


def _loss(weights: Floats, features: Floats, right: Floats) -> tuple[float, Floats]:
    """Negative log of the posterior, a convex function of two numbers; and its gradient."""
    logits, pull = features @ weights, _PRIOR_PRECISION * (weights - _PRIOR_MEAN)
    surprise = np.logaddexp(0, logits) - right * logits
    loss = surprise.sum() + pull @ (weights - _PRIOR_MEAN) / 2
    return float(loss), features.T @ (expit(logits) - right) + pull
