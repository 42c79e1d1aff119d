"""Whether evidence is short: audits take a larger share of the budget then.

It is short while a promise is not kept, may still be proved, and more audits would count. It is not
short where the student is not good enough: no number of audits proves what does not hold, and each
of them is a label that nobody learns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.promises.bounds import chance_of_so_few, least_needed
from schemas.promises.proving import Asked, Sighting, best_ranks

MOST_AUDITS = 2000
"""Audits that count, the newest: older ones tell of a stream that has moved on."""


@dataclass(frozen=True, slots=True)
class AuditShares:
    """Shares of all records that are drawn as audits: while evidence is `short`, and else."""

    settled: float
    short: float

    def when(self, *, short: bool) -> float:
        """Give the one that a policy is to have."""
        return self.short if short else self.settled


def is_short(audits: Sequence[Sighting], asked: Asked) -> bool:
    """Whether further audits may prove what these do not: pure.

    False once so many are there that no more would count, or once it is excluded, at the promise's
    own risk, that even an eighth of the records agrees as often as was asked.
    """
    least = least_needed(asked.agreement, risk=asked.risk)
    if least is None or len(audits) >= MOST_AUDITS:
        return False
    ranks = best_ranks(audits)
    risk = asked.risk / max(len(ranks), 1)
    return not ranks or any(_chance_of_so_many(e, n, asked) > risk for e, n in ranks)


def _chance_of_so_many(errors: int, n: int, asked: Asked) -> float:
    """P(at least so many errors) were the agreement just what was asked."""
    return 1.0 - chance_of_so_few(errors - 1, n, 1 - asked.agreement) if errors else 1.0
