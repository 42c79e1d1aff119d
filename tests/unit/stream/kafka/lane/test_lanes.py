from __future__ import annotations

import asyncio
from typing import cast

from aiokafka import TopicPartition

from stream.kafka.lane.lane import Lane
from stream.kafka.lane.lanes import Lanes
from stream.kafka.lane.status import PartitionStatus


class FakeLane:
    """A lane that writes down what it is told, and ends when it is told to, or with an error."""

    def __init__(self, partition: int = 0, *, error: Exception | None = None) -> None:
        self.source = TopicPartition("text", partition)
        self.error = error
        self.deaf = False
        self.seen: list[str] = []
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        if self.error:
            raise self.error
        await self.stopping.wait()

    def request_stop(self) -> None:
        if not self.deaf:
            self.stopping.set()

    def saw_end(self, offset: int) -> None:
        self.seen.append(f"end {offset}")

    def saw_outage(self) -> None:
        self.seen.append("outage")

    def status(self) -> PartitionStatus:
        return PartitionStatus(self.source.partition, 0, 0.0)


def running(*fakes: FakeLane, failed: list[BaseException] | None = None) -> Lanes:
    lanes = Lanes()
    for fake in fakes:
        lanes.start(cast("Lane", fake), failed=(failed if failed is not None else []).append)
    return lanes


async def test_lanes_are_told_where_their_own_partitions_end_and_of_outages() -> None:
    ours, others = FakeLane(0), FakeLane(1)
    lanes = running(ours, others)
    await lanes.saw_ends({ours.source: 7})
    lanes.saw_outage()
    assert (ours.seen, others.seen) == (["end 7", "outage"], ["outage"])
    assert lanes.sources() == [ours.source, others.source]
    assert [status.partition for status in lanes.statuses()] == [0, 1]
    await lanes.cancel()
    assert lanes.statuses() == ()


async def test_they_finish_together_and_those_that_take_too_long_are_cut_off() -> None:
    slow = FakeLane(1)
    slow.deaf = True
    lanes = running(FakeLane(0), slow)
    assert await lanes.finish(timeout_s=0.01) == 1
    assert lanes.sources() == []
    assert await lanes.finish(timeout_s=0.01) == 0


async def test_what_a_lane_ends_with_is_passed_on_but_not_its_being_cut_off() -> None:
    error, failed = ZeroDivisionError(), list[BaseException]()
    lanes = running(FakeLane(0, error=error), FakeLane(1), failed=failed)
    await asyncio.sleep(0)
    await lanes.cancel()
    await asyncio.sleep(0)
    assert failed == [error]
