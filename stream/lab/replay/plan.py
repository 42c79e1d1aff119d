"""The order of the stream, the cold start cut from its head, and the rounds.

Pure: the same examples and options give the same plan.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from schemas.errors import ConfigError
from schemas.files.corpus import Example
from stream.lab.replay.options import Order


@dataclass(frozen=True, slots=True)
class Plan:
    """`cold` leaves the stream before it begins; `rounds` are contiguous shares of the rest."""

    cold: tuple[Example, ...]
    rounds: tuple[tuple[Example, ...], ...]

    @property
    def streamed(self) -> tuple[Example, ...]:
        """Every record that goes through Kafka, in order."""
        return tuple(example for share in self.rounds for example in share)

    def ages(self, examples: Iterable[Example]) -> list[float]:
        """Give the share of the texts that come later, for examples of this very plan.

        The cold start is labelled in one go, so its texts are of one age.
        """
        streamed = self.streamed
        later = {id(one): len(streamed) for one in self.cold}
        later |= {id(one): n for n, one in enumerate(reversed(streamed))}
        return [later[id(one)] / len(later) for one in examples]


def make_plan(
    examples: Sequence[Example], *, order: Order, seed: int, cold_start: int, rounds: int
) -> Plan:
    """Order the examples and cut them; `ConfigError` where a round would be empty."""
    if len(examples) < cold_start + rounds:
        raise ConfigError(
            f"the stream has {len(examples)} texts: too few for a cold start of {cold_start} "
            f"and {rounds} rounds"
        )
    arranged = ordered(examples, order=order, seed=seed)
    return Plan(
        cold=tuple(arranged[:cold_start]), rounds=tuple(shares(arranged[cold_start:], rounds))
    )


def ordered(examples: Sequence[Example], *, order: Order, seed: int) -> list[Example]:
    """Arrange the examples as in the file, shuffled by the seed, or sorted by `meta.date`."""
    if order == "date":
        return sorted(examples, key=_date)
    arranged = list(examples)
    if order == "shuffled":
        random.Random(seed).shuffle(arranged)  # noqa: S311  repeatable, no secret
    return arranged


def shares(examples: Sequence[Example], n: int) -> Iterable[tuple[Example, ...]]:
    """`n` contiguous shares whose sizes differ by one at most."""
    bounds = [round(len(examples) * i / n) for i in range(n + 1)]
    return (tuple(examples[a:b]) for a, b in pairwise(bounds))


def _date(example: Example) -> datetime:
    """Read the record's date, in UTC; a bare day is its midnight."""
    try:
        date = datetime.fromisoformat(str(example.meta["date"]))
    except (KeyError, ValueError):
        raise ConfigError(
            f"--order date: {example.id} has no meta.date that is an ISO 8601 date"
        ) from None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
