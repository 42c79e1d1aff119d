"""How a part of the worker ends the whole: the first reason counts."""

from __future__ import annotations

import asyncio


class Halt:
    """Called with the reason to end; `reason` is awaited by whoever ends the process."""

    def __init__(self) -> None:
        self.reason: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    def __call__(self, reason: BaseException) -> None:
        """Ask for the end; later reasons follow from the first and are passed over."""
        if not self.reason.done():
            self.reason.set_result(reason)
