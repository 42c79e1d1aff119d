from __future__ import annotations

import asyncio

import pytest

from stream.tag.overtaking import Overtaking


class Jobs:
    """Jobs that hang until they are let go; `ended` says how."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, str]] = []
        self.go_on = asyncio.Event()

    async def run(self, name: str) -> None:
        try:
            await self.go_on.wait()
            self.ended.append((name, "done"))
        except asyncio.CancelledError:
            self.ended.append((name, "given up"))
            raise


async def test_the_oldest_is_given_up_for_the_newest() -> None:
    jobs = Jobs()
    async with asyncio.TaskGroup() as group:
        overtaking = Overtaking(group, most=2)
        for name in "abc":
            overtaking.start(jobs.run(name), give_up=True)
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert jobs.ended == [("a", "given up")]
        jobs.go_on.set()
    assert jobs.ended[1:] == [("b", "done"), ("c", "done")]


async def test_none_is_given_up_where_each_may_be_all_there_is() -> None:
    jobs = Jobs()
    async with asyncio.TaskGroup() as group:
        overtaking = Overtaking(group, most=2)
        for name in "abc":
            overtaking.start(jobs.run(name), give_up=False)
        await asyncio.sleep(0)
        assert not jobs.ended
        jobs.go_on.set()
    assert sorted(jobs.ended) == [(name, "done") for name in "abc"]


async def test_what_a_job_raises_is_not_lost() -> None:
    async def fail() -> None:
        raise ValueError("ours")

    with pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="ours")):
        async with asyncio.TaskGroup() as group:
            Overtaking(group, most=2).start(fail(), give_up=True)
