"""What a round may ask: a share of the routing budget, earned by the records of the stream.

Lanes and rounds share one budget: of `routing.budget_share * n` answers for `n` records the lanes
grant what `distill.judging.share` leaves them, and each record earns the rounds the rest. What a
round means to ask is taken out before it asks, and what it did not ask goes back: a round that is
killed in between may have asked, so that part stays spent. Pure; `RoundArchive` keeps it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from schemas.new_labels import new_by_offsets

Spans = Mapping[int, tuple[int, int]]
"""By partition of the text topic: the offsets where it begins and ends."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """Answers that rounds may ask for: `unspent`, and the offsets up to which records earned it."""

    seen: Mapping[str, int]
    unspent: float
    at_ms: int
    per_s: float = 0.0
    """How many answers a second were earned last."""

    @property
    def questions(self) -> int:
        """Whole answers that may be asked for."""
        return math.floor(self.unspent + 1e-9)  # ten times 0.1 is a little less than 1

    def less(self, questions: int) -> Allowance:
        """Take answers out, or, with a negative number, back in."""
        return replace(self, unspent=self.unspent - questions)

    def as_dict(self) -> dict[str, Any]:
        """Give plain values, for JSON."""
        return {
            "seen": dict(self.seen),
            "unspent": self.unspent,
            "at_ms": self.at_ms,
            "per_s": self.per_s,
        }


def opened(spans: Spans, *, served: bool, at_ms: int) -> Allowance:
    """Begin to count: from the topic's beginning, unless a student has `served` before.

    What was routed before nobody counted may have spent the whole budget.
    """
    seen = {str(p): end if served else begin for p, (begin, end) in spans.items()}
    return Allowance(seen, 0.0, at_ms)


def earned(
    before: Allowance, spans: Spans, *, per_record: float, most: int, at_ms: int
) -> Allowance:
    """Add what the records since then earn; no more than `most` is ever saved up."""
    ends = {str(partition): end for partition, (_, end) in spans.items()}
    income = per_record * new_by_offsets(ends, before.seen)
    seconds = (at_ms - before.at_ms) / 1000
    return Allowance(
        seen={**before.seen, **ends},
        unspent=min(before.unspent + income, float(most)),
        at_ms=at_ms,
        per_s=income / seconds if income and seconds > 0 else before.per_s,
    )


def parsed(values: Any) -> Allowance | None:
    """Read what `as_dict` gave; None for what is none."""
    try:
        seen = {str(partition): int(end) for partition, end in values["seen"].items()}
        unspent, per_s = float(values["unspent"]), float(values["per_s"])
        at_ms = int(values["at_ms"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return Allowance(seen, unspent, at_ms, per_s) if math.isfinite(unspent) else None
