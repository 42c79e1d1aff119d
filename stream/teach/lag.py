"""How far the teach agent is behind, and for how long it has stood still with requests to read."""

from __future__ import annotations

from collections.abc import Mapping


class TeachLag:
    """Compares the agent's position with the ends of the teacher requests, look after look.

    Positions, not committed offsets: a transaction leaves a marker behind its records, which is
    read but never acknowledged, so what is committed stays below the end for ever.
    """

    def __init__(self) -> None:
        self.positions: Mapping[int, int] = {}
        self.lags: Mapping[int, int] = {}
        self._moved_s: float | None = None

    def saw(
        self, positions: Mapping[int, int], ends: Mapping[int, int], *, busy: bool, now_s: float
    ) -> None:
        """Take note of one look, by partition; `now_s` is monotonic.

        An agent that is busy does not stand still, though it may read nothing more meanwhile.
        """
        self.lags = {p: max(0, ends[p] - at) for p, at in positions.items() if p in ends}
        if busy or positions != self.positions or not any(self.lags.values()):
            self._moved_s = now_s
        self.positions = dict(positions)

    def paused(self, now_s: float) -> None:
        """Take note that nothing can be read now: the brokers are away."""
        self._moved_s = now_s

    def standstill_s(self, now_s: float) -> float:
        """Seconds without a move though there were requests to read."""
        return 0.0 if self._moved_s is None else now_s - self._moved_s
