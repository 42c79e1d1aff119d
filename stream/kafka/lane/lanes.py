"""The lanes of the partitions that are assigned now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from aiokafka import TopicPartition

from stream.kafka.lane.lane import Lane
from stream.kafka.lane.status import PartitionStatus


class Lanes:
    """Runs lanes beside each other; a `stream.kafka.probe.Watched` for all of them."""

    def __init__(self) -> None:
        self._running: dict[Lane, asyncio.Task[None]] = {}

    def start(self, lane: Lane, *, failed: Callable[[BaseException], None]) -> None:
        """Run a lane; `failed` is told what it ends with, should it fail."""
        task = asyncio.create_task(lane.run(), name=f"lane-{lane.source.partition}")
        task.add_done_callback(partial(_pass_on, failed))
        self._running[lane] = task

    async def finish(self, *, timeout_s: float) -> int:
        """Let all finish what they have in hand; returns how many had to be cut off."""
        if not self._running:
            return 0
        for lane in self._running:
            lane.request_stop()
        running = list(self._running.values())
        _, late = await asyncio.wait(running, timeout=timeout_s)
        for task in late:
            task.cancel()
        await asyncio.wait(running)
        self._running.clear()
        return len(late)

    async def cancel(self) -> None:
        """Cut off all that still run."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        self._running.clear()

    def statuses(self) -> tuple[PartitionStatus, ...]:
        """Tell what readiness and liveness need to know of each."""
        return tuple(lane.status() for lane in self._running)

    def sources(self) -> list[TopicPartition]:
        """Tell whose lanes these are."""
        return [lane.source for lane in self._running]

    async def saw_ends(self, ends: Mapping[TopicPartition, int]) -> None:
        """Tell each lane where its partition ends."""
        for lane in self._running:
            if lane.source in ends:
                lane.saw_end(ends[lane.source])

    def saw_outage(self) -> None:
        """Tell the lanes that the brokers are away."""
        for lane in self._running:
            lane.saw_outage()


def _pass_on(failed: Callable[[BaseException], None], task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        failed(error)
