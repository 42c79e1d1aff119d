"""What an endpoint grants by the minute, learned from the headers of its answers.

Headers: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, as OpenAI and Azure send them (the
OpenAI API reference, "Rate limits in headers"). A reset is a duration (`6m0s`, `20ms`), a number of
seconds, or a time (ISO 8601). vLLM and others send none of them: then nothing is held back here.

What is told holds as of when its call was sent. Calls that were sent later are taken off it at the
most that they can be counted for, until the endpoint tells what it counted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

Kind = Literal["requests", "tokens"]
KINDS: Final[tuple[Kind, ...]] = ("requests", "tokens")

_MINUTE_S = 60.0
_DAY_S = 86_400.0
_BELIEVED_S = 120.0
"""Two minutes without a word from the endpoint, and its limits have filled up again."""
_TOGETHER_S = 1.0
_MOST = 1e12
_MAX_CHARS = 40
_UNITS_S: Final = {"d": _DAY_S, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|us|d|h|m|s))+")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|us|d|h|m|s)")


@dataclass(frozen=True, slots=True)
class Told:
    """One limit as headers tell it: `left` of `most`, and seconds until it is full again."""

    most: float
    left: float
    reset_s: float | None

    @property
    def per_s(self) -> float:
        """How much comes back in a second.

        Limits are by the minute; one that fills more slowly, as that of a day, shows it by its
        reset.
        """
        by_minute = self.most / _MINUTE_S
        if self.reset_s is None or self.reset_s <= 0 or self.left >= self.most:
            return by_minute
        return max(min(by_minute, (self.most - self.left) / self.reset_s), self.most / _DAY_S)


def read_told(headers: Mapping[str, str], kind: Kind, *, now: float) -> Told | None:
    """Read the headers about requests or tokens; None where they do not tell both figures.

    `now` is Unix time in seconds. What makes no sense is as if it were not there.
    """
    most = _number(headers.get(f"x-ratelimit-limit-{kind}"))
    left = _number(headers.get(f"x-ratelimit-remaining-{kind}"))
    if most is None or left is None or most <= 0:
        return None
    reset_s = parse_reset(headers.get(f"x-ratelimit-reset-{kind}"), now=now)
    return Told(most, min(left, most), reset_s)


def parse_reset(value: str | None, *, now: float) -> float | None:
    """Read how many seconds a limit takes to fill; None when that is not told."""
    if value is None or len(value) > _MAX_CHARS:
        return None
    told = value.strip()
    if (seconds := _number(told)) is not None:
        return seconds
    if _DURATION.fullmatch(told):
        return sum(float(n) * _UNITS_S[unit] for n, unit in _PART.findall(told))
    try:
        until = datetime.fromisoformat(told)
    except ValueError:
        return None
    return max(until.timestamp() - now, 0.0) if until.tzinfo else None


@dataclass(slots=True)
class Limit:
    """What is left of one limit. Calls are numbered in the order in which they are sent."""

    _told: Told | None = None
    _of: int = 0
    """The number of the call whose answer told it."""
    _at_s: float = 0.0
    _sent: dict[int, tuple[float, float]] = field(default_factory=dict)
    """When calls were sent that it may not count yet, and what they may be counted for."""

    def wait_s(self, amount: float, *, now_s: float) -> float:
        """Say how long to wait before a call of this amount; `now_s` is monotonic time."""
        if self._told is not None and now_s - self._at_s > _BELIEVED_S:
            self._told = None
            self._sent.clear()
        if self._told is None:
            return 0.0
        told = self._told
        full = min(told.left + told.per_s * (now_s - self._at_s), told.most)
        lacking = min(amount, told.most) - (full - sum(most for _, most in self._sent.values()))
        return max(lacking, 0.0) / told.per_s

    def sent(self, call: int, amount: float, *, now_s: float) -> None:
        """Take off what a call may be counted for."""
        self._sent[call] = (now_s, amount)

    def ended(self, call: int, *, counted: bool) -> None:
        """Give it back where the endpoint cannot have counted it, has told, or counts nothing."""
        if not counted or self._told is None or call <= self._of:
            self._sent.pop(call, None)

    def heard(self, call: int, told: Told, *, sent_at_s: float) -> None:
        """Take over what the answer to a call told, unless a later call's has told already."""
        if self._told is not None and call <= self._of:
            return
        self._told, self._of, self._at_s = told, call, sent_at_s
        for one, (at_s, _) in list(self._sent.items()):
            # Calls that are sent together may arrive in another order.
            if one == call or (one < call and at_s < sent_at_s - _TOGETHER_S):
                del self._sent[one]


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None and len(value) <= _MAX_CHARS else math.nan
    except ValueError:
        return None
    return number if 0 <= number <= _MOST else None
