"""What each producer may have of the teacher, so that none of them takes it all.

A token bucket a producer, beside the router's own: it earns the quota's share of the budget for
each record *of the partition*, whoever sent it, and begins with one token, so that a producer who
is new is heard. Of `n` records no producer is granted more than `1 + share * budget * n`, but for
audits: these are drawn at random from all records, which they must stand for, so they are charged
and never refused.
"""

from __future__ import annotations

from collections import OrderedDict

MOST_PRODUCERS = 10_000
"""The one that was charged longest ago is forgotten then, and would begin anew."""


class Quotas:
    """The buckets of one partition's producers; not thread-safe."""

    def __init__(
        self, *, per_record: float, burst: float, most_producers: int = MOST_PRODUCERS
    ) -> None:
        self._per_record = per_record
        self._burst = max(burst, 1.0)
        self._most = most_producers
        self._records = 0
        # What was there after the last charge, and when that was.
        self._levels: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def earn(self) -> None:
        """Count a record of the partition."""
        self._records += 1

    def allows(self, producer: str) -> bool:
        """Whether the producer has a whole token left."""
        return self._level(producer) >= 1 - 1e-9

    def charge(self, producer: str) -> None:
        """Take a token, which may be one that the producer has yet to earn."""
        left = max(self._level(producer) - 1, -self._burst)
        self._levels[producer] = (left, self._records)
        self._levels.move_to_end(producer)
        if len(self._levels) > self._most:
            self._levels.popitem(last=False)

    def _level(self, producer: str) -> float:
        level, at = self._levels.get(producer, (1.0, self._records))
        return min(level + (self._records - at) * self._per_record, self._burst)
