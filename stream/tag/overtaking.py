"""Jobs of which a later one must never wait for an earlier one that hangs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any


class Overtaking:
    """Starts each job at once in `group`; where `most` still run, the oldest is given up."""

    def __init__(self, group: asyncio.TaskGroup, *, most: int) -> None:
        self._group = group
        self._running: deque[asyncio.Task[Any]] = deque(maxlen=most)

    def start(self, job: Coroutine[Any, Any, object], *, give_up: bool) -> None:
        """Start a job; without `give_up` none is cancelled for it."""
        if give_up and len(self._running) == self._running.maxlen:
            self._running[0].cancel()  # it does nothing to one that is done
        self._running.append(self._group.create_task(job))
