"""The answers to one set of canaries, in one prompt, by what is taken for one teacher.

The first answer to each text is what the later ones are compared with: a teacher is known by what
it said, not by whether it was right. Whoever asks draws the texts at random, with replacement, from
those that were answered once; so the distances are draws of one law as long as the teacher is one,
however often it contradicts itself, and `schemas.canaries.exchangeability` watches that law. Beside
them the names that the endpoint gives itself, model and fingerprint, are watched in the same way:
where several systems take turns, their names do too, and nothing is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from schemas.canaries.exchangeability import Betting, Novelty, Ranks, lot
from schemas.types import Canary, Fact

Signal = Literal["answers", "names"]
"""What gave the change away: what was said (refusals and bad form too), or who said it."""

_UNLIKE = 2.0
"""A refusal, or a form that cannot be read, in place of an answer is stranger than any answer."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer, and its distance in [0, 2] from the first to its text; None where it is that."""

    canary: Canary
    distance: float | None


@dataclass(slots=True)
class Epoch:
    """Takes answers in order until it has `noticed` a change, and only counts them from then on.

    `risk` is the chance that it ever does so of a teacher that stays the same, at most.
    """

    risk: float
    seen: list[Seen] = field(default_factory=list)
    references: dict[str, Canary] = field(default_factory=dict)
    noticed: Signal | None = None
    since_ms: int = 0
    """After when the teacher is doubted; where a change was noticed."""
    _ranks: Ranks = field(default_factory=Ranks)
    _names: Novelty = field(default_factory=Novelty)
    _bets: dict[Signal, Betting] = field(
        default_factory=lambda: {"answers": Betting(), "names": Betting()}
    )
    _times: dict[Signal, list[int]] = field(default_factory=lambda: {"answers": [], "names": []})

    @property
    def capitals(self) -> dict[Signal, float]:
        """What whoever bets on a change has won so far; a change is noticed at `bound`."""
        return {signal: betting.capital for signal, betting in self._bets.items()}

    @property
    def bound(self) -> float:
        """The capital at which a change is noticed."""
        return len(self._bets) / self.risk

    def take(self, canary: Canary) -> None:
        """Take note of the next answer."""
        reference = self.references.setdefault(canary.text_digest, canary)
        distance = None if reference is canary else distance_of(canary, reference)
        self.seen.append(Seen(canary, distance))
        if self.noticed:
            return
        if canary.model or canary.fingerprint:
            name = f"{canary.model}\n{canary.fingerprint}"
            self._bet("names", canary, self._names.p_value(name, self._lot("names")))
        if distance is not None:
            self._bet("answers", canary, self._ranks.p_value(distance, self._lot("answers")))

    def is_of_the_change(self, seen: Seen) -> bool:
        """Whether the answer came when the teacher may have changed."""
        return self.noticed is not None and seen.canary.at_ms > self.since_ms

    def _lot(self, signal: Signal) -> float:
        return lot(signal, len(self._times[signal]))

    def _bet(self, signal: Signal, canary: Canary, p_value: float) -> None:
        betting, times = self._bets[signal], self._times[signal]
        betting.take(p_value)
        times.append(canary.at_ms)
        if not self.noticed and betting.capital >= self.bound:
            self.noticed = signal
            self.since_ms = self._last_before(signal, betting.began())

    def _last_before(self, signal: Signal, n: int) -> int:
        """Give the time of the answer before the one of this number; before all, for the first."""
        return self._times[signal][n - 1] if n else self.seen[0].canary.at_ms - 1


def distance_of(canary: Canary, reference: Canary) -> float:
    """Tell how unlike two answers to one text are: 1 less their F1, or 2 where one is no answer."""
    if canary.outcome != reference.outcome:
        return _UNLIKE
    return 1.0 - f1(canary.facts, reference.facts) if canary.outcome == "answered" else 0.0


def f1(said: Iterable[Fact], known: Iterable[Fact]) -> float:
    """F1 of two answers, in [0, 1]; 1 where both are empty."""
    one, other = frozenset(said), frozenset(known)
    return 2 * len(one & other) / (len(one) + len(other)) if one or other else 1.0
