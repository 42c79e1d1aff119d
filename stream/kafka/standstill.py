"""Standing still: what `/live` asks of every reader of a topic."""

from __future__ import annotations

import time
from collections.abc import Callable


class Standstill:
    """For how long a reader has had records to read, and not got any further.

    `moved` is called for progress and for what excuses its want: nothing left to read, work on
    what was read, brokers that are away.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since_s = clock()

    def moved(self) -> None:
        """Take note that it does not stand still now."""
        self._since_s = self._clock()

    def seconds(self, *, lag: int) -> float:
        """Tell the seconds without a move; none while there is no lag."""
        return self._clock() - self._since_s if lag > 0 else 0.0
