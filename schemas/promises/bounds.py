"""Exact binomial bounds: what `errors` in `n` records, drawn at random, say of all records.

Source: Clopper and Pearson, The use of confidence or fiducial limits, Biometrika 26, 1934.
"""

from __future__ import annotations

import math

_HALVINGS = 50
"""Of the unit interval: to some 1e-15."""
_MOST_NEEDED = 10_000_000
"""More records than this nobody waits for."""


def chance_of_so_few(errors: int, n: int, error_rate: float) -> float:
    """P(at most `errors` of `n` records are wrong) where each is with chance `error_rate`."""
    if errors >= n or error_rate <= 0:
        return 1.0
    if error_rate >= 1:
        return 0.0
    log_odds = math.log(error_rate) - math.log1p(-error_rate)
    log_term = largest = n * math.log1p(-error_rate)
    terms = [log_term]
    for k in range(errors):
        log_term += math.log((n - k) / (k + 1)) + log_odds
        largest = max(largest, log_term)
        terms.append(log_term)
    # In logarithms, for (1 - error_rate) ** n alone may be too small for a float.
    total = math.fsum(math.exp(term - largest) for term in terms)
    return min(math.exp(largest) * total, 1.0)


def sign_test(wins: int, losses: int) -> float:
    """P(at least so many wins) were win and loss equally likely; 1 where nobody did either."""
    return chance_of_so_few(losses, wins + losses, 0.5)


def is_proved(errors: int, n: int, agreement: float, *, risk: float) -> bool:
    """Whether an agreement under `agreement` is excluded, but for a chance of `risk`."""
    # At the rate of what was seen, or a lower one, such a count is no surprise at all.
    if n == 0 or errors >= n * (1 - agreement):
        return False
    return chance_of_so_few(errors, n, 1 - agreement) <= risk


def lower_bound(errors: int, n: int, *, risk: float) -> float:
    """Give the agreement that holds at least, but for a chance of `risk`; one-sided, in [0, 1]."""
    if n == 0 or errors >= n:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if chance_of_so_few(errors, n, 1 - middle) <= risk:
            low = middle
        else:
            high = middle
    return low


def least_needed(agreement: float, *, risk: float, errors: int = 0) -> int | None:
    """Count the records that prove `agreement` with so many errors among them.

    149 without an error for 0.98 at a risk of 0.05. None where none would do: an
    agreement of 1 is proved by no number of records.
    """
    if risk >= 1:
        return errors + 1
    low, high = errors, max(errors, 1)
    while not is_proved(errors, high, agreement, risk=risk):
        low, high = high, 2 * high
        if high > _MOST_NEEDED:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        proved = is_proved(errors, middle, agreement, risk=risk)
        low, high = (low, middle) if proved else (middle, high)
    return high
