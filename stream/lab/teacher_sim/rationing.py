"""Limits by the minute of a simulated teacher, and the headers that tell of them.

A request is counted before it is answered: as one, and as its prompt's tokens and the most that
its answer may have ("Understanding rate limits", Azure OpenAI). What was counted comes back evenly;
`x-ratelimit-reset-*` is the time until all of it is back, as with OpenAI.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from stream.teacher.rate_limits import Kind
from stream.teacher.retries import Clock

_MINUTE_S = 60.0


@dataclass(slots=True)
class Ration:
    """What is granted of requests and tokens a minute; of a kind that is left out, anything."""

    per_minute: Mapping[Kind, float]
    clock: Clock
    _left: dict[Kind, float] = field(init=False)
    _at_s: float = field(init=False)
    granted: dict[Kind, float] = field(init=False)
    """All that was ever granted."""

    def __post_init__(self) -> None:
        self._left = dict(self.per_minute)
        self.granted = dict.fromkeys(self.per_minute, 0.0)
        self._at_s = self.clock.monotonic()

    def take(self, tokens: int) -> float | None:
        """Count a request of so many tokens; the seconds until there is room, where there is none.

        One that is larger than a minute's tokens has room when nothing else is counted.
        """
        self._fill()
        amounts: dict[Kind, float] = {"requests": 1.0, "tokens": float(tokens)}
        needed = {kind: min(amounts[kind], most) for kind, most in self.per_minute.items()}
        waits = [
            (amount - self._left[kind]) * _MINUTE_S / self.per_minute[kind]
            for kind, amount in needed.items()
        ]
        if waits and max(waits) > 0:
            return max(waits)
        for kind, amount in needed.items():
            self._left[kind] -= amount
            self.granted[kind] += amount
        return None

    def headers(self) -> dict[str, str]:
        """Tell what is left, as OpenAI's headers do."""
        self._fill()
        told = {}
        for kind, most in self.per_minute.items():
            left = self._left[kind]
            told[f"x-ratelimit-limit-{kind}"] = f"{most:.0f}"
            told[f"x-ratelimit-remaining-{kind}"] = f"{math.floor(left)}"
            told[f"x-ratelimit-reset-{kind}"] = _duration((most - left) * _MINUTE_S / most)
        return told

    def _fill(self) -> None:
        now_s = self.clock.monotonic()
        for kind, most in self.per_minute.items():
            back = (now_s - self._at_s) * most / _MINUTE_S
            self._left[kind] = min(self._left[kind] + back, most)
        self._at_s = now_s


def _duration(seconds: float) -> str:
    """Write seconds as Go does: `6m0s`, `1.5s`, `20ms`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    minutes, rest = divmod(seconds, _MINUTE_S)
    return f"{minutes:.0f}m{rest:.3f}s" if minutes else f"{rest:.3f}s"
