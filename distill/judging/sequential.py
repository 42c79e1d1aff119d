"""How sure one may be of a mean while the answers still come in: betting, looked at at any time.

Whoever doubts that the mean is above `m` stakes a share of a capital, at odds that are fair if it
is `m`, on each value. Where the mean is `m` or less the capital is a supermartingale, so it ever
reaches `1 / alpha` with a chance of `alpha` at most (Ville's inequality): however often one looks,
and whenever one stops. The bound is the smallest `m` whose gambler has not got rich. Several stakes
are played side by side, each with an equal part of the capital, so none has to be guessed.

Values are draws from the stream, not a census of the newest texts: these are themselves a sample,
and which student is better on a couple of hundred of them says less than it seems (their F1 differs
from the stream's by a point). So nothing is gained by asking all of them but more answers.

Source: Waudby-Smith and Ramdas (2024), "Estimating means of bounded random variables by betting";
Ville (1939).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from distill.judging.scoring import Interval

Floats = NDArray[np.float64]

_STAKES: Floats = np.geomspace(0.15, 0.8, 4)
"""Shares of the capital that may be lost on one value."""
_HALVINGS = 40


def confidence_sequence(values: Sequence[float], *, bound: float, confidence: float) -> Interval:
    """Give the mean of `values` and an interval of what they are drawn from.

    Values beyond -`bound` and `bound` are cut to these, and it is the mean of what was cut that the
    interval covers. Of many intervals, one after each value, the chance that any of them misses
    the mean is (1 - `confidence`) / 2 at most on either side. Without values all is possible.
    """
    cut = np.clip(np.asarray(values, dtype=np.float64), -bound, bound)
    alpha = (1 - confidence) / 2
    low = _lower(0.5 + cut / (2 * bound), alpha=alpha)
    high = _lower(0.5 - cut / (2 * bound), alpha=alpha)
    mean = float(cut.mean()) if len(cut) else 0.0
    return Interval(estimate=mean, low=(2 * low - 1) * bound, high=(1 - 2 * high) * bound)


def _lower(shares: Floats, *, alpha: float) -> float:
    """Find the lower bound of the mean of values in [0, 1]; the capital falls as `m` rises."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _richest(shares, middle) >= np.log(1 / alpha):
            low = middle
        else:
            high = middle
    return low


def _richest(shares: Floats, mean: float) -> float:
    """Log of the most that a gambler against `mean`, in (0, 1), ever had; he began with 1."""
    if not len(shares):
        return 0.0
    gains = np.log1p(_STAKES[:, None] * (shares / mean - 1))  # [stakes, values]
    capital = np.logaddexp.reduce(np.cumsum(gains, axis=1), axis=0) - np.log(len(_STAKES))
    return float(capital.max())
