"""Time that stands still until someone sleeps."""

from __future__ import annotations

from dataclasses import dataclass, field

from stream.teacher.retries import Clock


@dataclass
class FakeTime:
    """Give `clock` to what wants one; `slept_s` lists the waits that it asked for."""

    now_s: float = 1_700_000_000.0
    slept_s: list[float] = field(default_factory=list)

    @property
    def clock(self) -> Clock:
        """A clock that shows `now_s`, both as Unix time and as monotonic time."""
        return Clock(now=lambda: self.now_s, monotonic=lambda: self.now_s, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        """Move the time on at once."""
        self.slept_s.append(seconds)
        self.now_s += seconds
