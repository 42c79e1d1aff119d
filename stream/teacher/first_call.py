"""The first call, made alone: it finds out what the endpoint takes, before others run beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FirstCall:
    """Holds back all others until the first has ended, however it did."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._ended = False

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Wrap each call."""
        async with self._lock:
            is_first = not self._ended
            if is_first:
                try:
                    yield
                finally:
                    self._ended = True
        if not is_first:
            yield
