"""Whether an edit holds on texts that it was not made for, and how often one may ask that.

An edit that only fits the texts that it was made from changes others for better as often as for
worse. So, of the texts that it changes, how many are better is a binomial of one half at most: the
exact one-sided sign test (McNemar's, exact). Texts are what is counted, not facts: those of one
text stand and fall together.

A search asks again and again. After k tests that failed a test gets `alpha / ((k + 1) (k + 2))` of
the error, and these add up to `alpha`. A test that was passed costs nothing: between two failures
one edit at most that is worth nothing is tried before the first of them is accepted. So `alpha`
bounds how likely a whole search is to accept any. Proposals never see what the tests are made on;
what reaches them of it is one bit a test, accepted or not.

Sources: alpha spending, Lan and DeMets (1983); keeping the level of what was rejected, the fallback
procedure, Wiens (2003), and online, Tian and Ramdas, "Online control of the familywise error rate"
(2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.promises.bounds import sign_test

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Held:
    """How many texts an edit made better and worse.

    `p_value` is how likely so many better ones are by chance, `alpha` how likely they may be.
    """

    better: int
    worse: int
    p_value: float
    alpha: float

    @property
    def holds(self) -> bool:
        """Whether the edit may be accepted."""
        return self.p_value <= self.alpha

    @property
    def is_promising(self) -> bool:
        """Whether it does more good than harm, if not surely."""
        return self.better > self.worse


def held(before: Sequence[int], after: Sequence[int], *, n_failed: int) -> Held:
    """Compare the wrong facts of each text before and after an edit.

    `n_failed` tests failed so far. Raises `ValueError` when the two differ in length.
    """
    pairs = list(zip(before, after, strict=True))
    better = sum(new < old for old, new in pairs)
    worse = sum(new > old for old, new in pairs)
    return Held(better, worse, sign_test(better, worse), ALPHA / ((n_failed + 1) * (n_failed + 2)))
