"""From which confidence on the student may settle a record alone: proved on records never learnt.

A hypothesis for each of some thresholds: of the records at or above it, fewer than the promised
share agree. They are tested from the strictest downwards, each by an exact binomial bound; the
lowest threshold whose hypothesis falls is taken. That one of the taken is false has a chance of
`1 - confidence` at most, however many are tested (fixed-sequence testing; Angelopoulos et al.,
Learn then Test, arXiv 2110.01052), where a bare share breaks its word in about half of all cases.

Which thresholds are tested, in which order and at which risk, depends on how many records there
are and on nothing else: neither on what was right nor on how sure the student was. They lie at
ranks: all records, half of them, a quarter, an eighth, and steps between. A sequence that begins
with the strictest alone ends there with the first unlucky record; so each of these four ranks
that could prove anything begins a sequence of its own, at an equal part of the risk, and inherits
what was not spent by those before it (the fallback procedure; Wiens, Pharmaceutical Statistics 2,
2003).

Where nothing is proved, a threshold is needed all the same. It is that of the three ranks under
all (half, a quarter, an eighth) with the highest bound, each at a third of the risk, so that the
highest of the three is still a bound. At most half of the records are then settled alone: the
budget goes on buying the labels of the least sure ones, by which a promise is earned. Where it buys
more than half, the policy's threshold is higher (`threshold_of`): of what nobody promises, nothing
is saved on.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from schemas.promises.bounds import is_proved, least_needed, lower_bound

State = Literal["kept", "broken", "unproven"]
"""`broken` is said by who watches alone: what is proved today can break tomorrow."""

HALF = 0.5
"""The most of the records that are settled alone where nothing is proved."""
_STARTS = 4
_STEP = 1.04
"""Each threshold accepts so many times the records of the one before it."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One record of the evidence: how sure the student was of it, and whether it was all right."""

    confidence: float
    right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be promised: shares in [0, 1]."""

    agreement: float
    confidence: float

    @property
    def risk(self) -> float:
        """The chance with which the promise may be false."""
        return 1 - self.confidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the evidence says. `audited` and `errors` count the records at or above `threshold`.

    `bound` is the agreement that holds there at least: when unproven, what can be promised.
    `need` is how many more accepted records, all faultless, would prove what was asked, if as large
    a share of the records is accepted then; None where no number would. `accepted_share` is a share
    of the evidence.
    """

    state: State
    threshold: float
    accepted_share: float
    audited: int
    errors: int
    bound: float
    need: int | None


def prove(evidence: Sequence[Sighting], asked: Asked) -> Proof:
    """Find the lowest threshold that keeps the promise, or else the best one that there is.

    The records must be drawn at random from those that the promise is about, and none of them
    learnt from; see the module for the procedure.
    """
    if not evidence:
        need = least_needed(asked.agreement, risk=asked.risk)
        return _Ranked.nothing(need)
    ranked = _Ranked.of(evidence)
    proved = _lowest_proved(ranked, asked)
    return ranked.proof("kept", *proved, asked) if proved else _best_unproved(ranked, asked)


def threshold_of(evidence: Sequence[Sighting], share: float) -> float:
    """Give the lowest threshold that accepts no more than this share of the evidence, in [0, 1]."""
    sure = sorted((one.confidence for one in evidence), reverse=True)
    refused = sure[math.floor(share * len(sure)) :]
    return math.nextafter(refused[0], 2) if refused else 0.0


@dataclass(frozen=True, slots=True)
class _Ranked:
    """The evidence, the surest first; `errors[i]` counts those among the first `i`."""

    confidences: list[float]
    errors: list[int]

    @classmethod
    def of(cls, evidence: Sequence[Sighting]) -> _Ranked:
        order = sorted(evidence, key=lambda one: -one.confidence)
        errors = [0]
        for one in order:
            errors.append(errors[-1] + (not one.right))
        return cls([one.confidence for one in order], errors)

    @staticmethod
    def nothing(need: int | None) -> Proof:
        """Without any evidence nothing can be said of anything, so all is wanted."""
        return Proof(
            state="unproven",
            threshold=1.0,
            accepted_share=0.0,
            audited=0,
            errors=0,
            bound=0.0,
            need=need,
        )

    def __len__(self) -> int:
        return len(self.confidences)

    def accepted(self, rank: int) -> int:
        """Count those as sure as the record at this rank, from 1: ties are accepted together."""
        lowest = -self.confidences[rank - 1]
        return bisect_right(self.confidences, lowest, key=lambda value: -value)

    def proof(self, state: State, n: int, risk: float, asked: Asked) -> Proof:
        errors = self.errors[n]
        share = n / len(self)
        return Proof(
            state=state,
            threshold=self.confidences[n - 1],
            accepted_share=share,
            audited=n,
            errors=errors,
            bound=lower_bound(errors, n, risk=risk),
            need=0 if state == "kept" else _more_accepted(errors, n, share, asked),
        )


def _lowest_proved(ranked: _Ranked, asked: Asked) -> tuple[int, float] | None:
    """Walk from the strictest threshold down; how many records are accepted, and at which risk."""
    found, inherited = None, 0.0
    for rank, own in _sequence(len(ranked), asked):
        risk, n = own + inherited, ranked.accepted(rank)
        proved = risk > 0 and is_proved(ranked.errors[n], n, asked.agreement, risk=risk)
        found, inherited = ((n, risk), risk) if proved else (found, 0.0)
    return found


def _sequence(n: int, asked: Asked) -> Iterator[tuple[int, float]]:
    """Give the ranks to test, the strictest first, and the part of the risk that begins there."""
    starts = _starts(n, asked)
    steps = set(starts)
    rank = float(min(starts, default=n))
    while rank < n:
        steps.add(int(rank))
        rank *= _STEP
    for step in sorted(steps):
        yield step, asked.risk / len(starts) if step in starts else 0.0


def _starts(n: int, asked: Asked) -> list[int]:
    """Give the ranks that begin a sequence: as many halves as could prove it without an error."""
    for count in range(_STARTS, 0, -1):
        ranks = [n >> halving for halving in range(count)]
        least = least_needed(asked.agreement, risk=asked.risk / count)
        if least is not None and ranks[-1] >= least:
            return ranks
    return []


def least_evidence(asked: Asked, accepted_share: float, *, errors: int = 0) -> int | None:
    """Count the records that prove a threshold which accepts this share of them, in (0, 1].

    `errors` are those among the accepted. A sequence begins at the next lower of the ranks, with
    its part of the risk. None where no number would do.
    """
    halvings = min(math.ceil(-math.log2(accepted_share)), _STARTS - 1)
    risk = asked.risk / (halvings + 1)
    least = least_needed(asked.agreement, risk=risk, errors=errors)
    return None if least is None else least << halvings


def _more_accepted(errors: int, n: int, share: float, asked: Asked) -> int | None:
    least = least_evidence(asked, share, errors=errors)
    return None if least is None else max(math.ceil(least * share) - n, 1)


def best_ranks(evidence: Sequence[Sighting]) -> list[tuple[int, int]]:
    """Give errors and number of the surest eighth, quarter and half; nothing of no evidence."""
    ranked = _Ranked.of(evidence)
    return [(ranked.errors[n], n) for n in _best(ranked)]


def _best(ranked: _Ranked) -> list[int]:
    ranks = {max(len(ranked) >> halving, 1) for halving in range(1, _STARTS)}
    return [ranked.accepted(rank) for rank in sorted(ranks)] if len(ranked) else []


def _best_unproved(ranked: _Ranked, asked: Asked) -> Proof:
    ranks = _best(ranked)
    risk = asked.risk / len(ranks)
    bound: Callable[[int], float] = lambda n: lower_bound(ranked.errors[n], n, risk=risk)  # noqa: E731  # used twice
    best = max(ranks, key=bound)
    return ranked.proof("unproven", best, risk, asked)
