"""A test that may be looked at for ever: whether the law that values follow has changed.

Each value becomes a conformal p-value, its smoothed rank among all up to now. As long as values are
exchangeable these are independent and uniform, whatever the law is: the share of answers that
differ needs neither be known nor small. So bets against uniform p-values are fair, and the capital
of whoever bets on small ones reaches `1 / alpha` with a chance of at most `alpha`, ever (Ville's
inequality), however often one looks. After a change the strange values are rare in the past,
p-values small, and the capital grows exponentially.

The bettor mixes bets of many strengths, begun with every block of values: the stake that is not yet
set is the reserve, whose heavy tail `1 / log2(n + 1)` keeps a share for late changes: those of
block n must win some `n log(n)^2` times their stake, which a few more values do.

Vovk, Gammerman, Shafer: Algorithmic Learning in a Random World, 2nd edition, 2022, part III;
Vovk: Testing randomness online, Statistical Science 36, 2021; Shin, Ramdas, Rinaldo: E-detectors,
arXiv 2203.03532 (bets begun at each time).
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

_SMALL = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
_GROWN = (0.15, 0.3, 0.5, 0.7, 0.9)
_BETS: tuple[tuple[float, float], ...] = tuple(
    (small, grown) for small in _SMALL for grown in _GROWN if grown > small
)
"""Each bets that p-values below the first are a share of the second from now on."""
_BLOCK = 10
"""Values after which other bets begin: stakes for each value would be a tenth of these."""
_PLAUSIBLE = 100.0
"""A beginning that explains the values at most this many times worse than the best may be it."""


@dataclass(slots=True)
class Betting:
    """The capital of whoever bets that p-values have become small; it begins with 1.

    Of independent uniform p-values it is a martingale: the chance that it ever reaches c is at most
    1/c.
    """

    capital: float = 1.0
    _stakes: list[float] = field(default_factory=lambda: [0.0] * len(_BETS))
    _seen: list[float] = field(default_factory=list)

    def take(self, p_value: float) -> None:
        """Settle the bets on the next p-value, in [0, 1]."""
        n, within = divmod(len(self._seen), _BLOCK)
        self._seen.append(p_value)
        stake = 0.0 if within else (_reserve(n) - _reserve(n + 1)) / len(_BETS)
        self._stakes = [
            (held + stake) * _odds(bet, p_value)
            for held, bet in zip(self._stakes, _BETS, strict=True)
        ]
        self.capital = math.fsum(self._stakes) + _reserve(n + 1)

    def began(self) -> int:
        """Give the number, from 0, of the first value that may be of a changed law.

        It is the earliest beginning from which on some bet explains the values nearly as well as
        the best bet from the best beginning; call it when the capital is large.
        """
        gains = [_gains(bet, self._seen) for bet in _BETS]
        best = max(max(gain) for gain in gains)
        least = best - math.log(_PLAUSIBLE)
        return min(
            next(n for n, x in enumerate(gain) if x >= least)
            for gain in gains
            if max(gain) >= least
        )


@dataclass(slots=True)
class Ranks:
    """Conformal p-values of numbers of which large ones are strange."""

    _sorted: list[float] = field(default_factory=list)

    def p_value(self, score: float, lot: float) -> float:
        """Give the share of values up to now, this one among them, that are no less strange.

        `lot`, uniform in [0, 1), breaks ties.
        """
        insort(self._sorted, score)
        n = len(self._sorted)
        stranger = n - bisect_right(self._sorted, score)
        equal = n - stranger - bisect_left(self._sorted, score)
        return (stranger + lot * equal) / n


@dataclass(slots=True)
class Novelty:
    """Conformal p-values of names of which rare ones are strange."""

    _counts: Counter[str] = field(default_factory=Counter)

    def p_value(self, name: str, lot: float) -> float:
        """Give the share of values up to now, this one among them, whose name is no less rare."""
        self._counts[name] += 1
        ours = self._counts[name]
        rarer = sum(n for n in self._counts.values() if n < ours)
        equal = sum(n for n in self._counts.values() if n == ours)
        return (rarer + lot * equal) / self._counts.total()


def lot(purpose: str, n: int) -> float:
    """Draw a number in [0, 1) that everybody draws alike: what breaks the ties of value `n`."""
    digest = hashlib.sha256(f"{purpose} {n}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _reserve(n: int) -> float:
    """Tell what is left for the blocks from number `n` on, counted from 0."""
    return 1 / math.log2(n + 2)


def _odds(bet: tuple[float, float], p_value: float) -> float:
    small, grown = bet
    return grown / small if p_value < small else (1 - grown) / (1 - small)


def _gains(bet: tuple[float, float], p_values: Sequence[float]) -> list[float]:
    """Tell what the bet has won on each value and those after it, in nats."""
    gains: list[float] = []
    total = 0.0
    for p_value in reversed(p_values):
        total += math.log(_odds(bet, p_value))
        gains.append(total)
    return gains[::-1]
