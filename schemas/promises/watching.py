"""A watch over a promise: live audits come one by one, and it may look after each of them.

Looking often costs nothing in error, for what is watched is an e-process: by how much some higher
error rate explains the audits better than the highest rate that the promise allows. While the
promise holds, its mean never rises above 1 (it is a supermartingale), so the chance that it *ever*
passes `1 / risk` is `risk` at most (Ville's inequality; Howard et al., Time-uniform, nonparametric,
nonasymptotic confidence sequences, arXiv 1810.08240). The agreements that a watch of their own does
not contradict are a confidence sequence; the promise is broken once it lies outside.

What came long ago must not hide what comes now: a thousand good audits would outweigh a
hundred bad ones. So a new process begins with every block of audits, at a share of the stakes that
falls with its number, and their sum is what is watched: the mean of supermartingales is one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

_FACTORS = (1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 40.0)
"""The error rates that are looked out for, in units of the one that is allowed."""
_MOST = 0.95
_BLOCK = 20
"""Audits after which another process begins."""
_MOST_PROCESSES = 16


@dataclass(slots=True)
class Watch:
    """Watches the accepted audits of one student under one policy, in the order they came."""

    agreement: float
    risk: float
    n: int = 0
    errors: int = 0
    _processes: list[_Process] = field(init=False, default_factory=list)

    def see(self, *, right: bool) -> None:
        """Take note of one more audit of a record that the student would have settled alone."""
        if self.n % _BLOCK == 0:
            self._begin()
        self.n += 1
        self.errors += not right
        for process in self._processes:
            process.see(right=right)

    @property
    def is_broken(self) -> bool:
        """Whether the audits contradict the promise, but for a chance of `risk`."""
        if self.agreement >= 1:
            return self.errors > 0
        return math.fsum(self._stakes()) >= 1 / self.risk

    @property
    def since(self) -> int:
        """The number of the audit from which on the evidence against the promise is strongest."""
        stakes = self._stakes()
        return self._processes[stakes.index(max(stakes))].since if stakes else 0

    def _begin(self) -> None:
        if len(self._processes) == _MOST_PROCESSES:  # to end one early takes evidence away only
            self._processes.remove(min(self._processes, key=lambda process: process.value))
        number = self.n // _BLOCK
        # The shares of all numbers, 1 / 2 + 1 / 6 + 1 / 12 and so on, add up to 1.
        share = 1 / ((number + 1) * (number + 2))
        self._processes.append(_Process(self.n, share, _rates(1 - self.agreement)))

    def _stakes(self) -> list[float]:
        return [process.share * process.value for process in self._processes]


class _Process:
    """One e-process: the mean of the likelihood ratios of all rates that are looked out for."""

    def __init__(self, since: int, share: float, rates: list[tuple[float, float]]) -> None:
        self.since = since
        self.share = share
        self._rates = rates
        self._logs = [0.0] * len(rates)

    def see(self, *, right: bool) -> None:
        for index, (when_wrong, when_right) in enumerate(self._rates):
            self._logs[index] += when_right if right else when_wrong

    @property
    def value(self) -> float:
        return math.fsum(math.exp(min(log, 600.0)) for log in self._logs) / len(self._logs)


def _rates(allowed: float) -> list[tuple[float, float]]:
    """Give each rate's logarithms of the likelihood ratio: of an error, and of a right record."""
    allowed = max(allowed, 1e-9)
    rates = {min(allowed * factor, max(_MOST, (1 + allowed) / 2)) for factor in _FACTORS}
    return [
        (math.log(rate / allowed), math.log1p(-rate) - math.log1p(-allowed))
        for rate in sorted(rates)
    ]
