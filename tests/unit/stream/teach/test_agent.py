from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from stream.frame.halt import Halt
from stream.teach.agent import InHand, live_take, side_by_side, teach_agent
from stream.testing.fake_time import FakeTime


def _record(offset: int) -> ConsumerRecord[bytes, bytes]:
    return ConsumerRecord(
        topic="requests",
        partition=2,
        offset=offset,
        timestamp=0,
        timestamp_type=0,
        key=b"k",
        value=b"",
        checksum=None,
        serialized_key_size=1,
        serialized_value_size=0,
        headers=(),
    )


class FakeStream:
    """What the agent sees of Faust: batches to take, and acknowledgements in their order."""

    def __init__(self, *batches: Sequence[int]) -> None:
        self.batches = batches
        self.acked: list[int] = []

    def noack(self) -> FakeStream:
        return self

    async def noack_take(self, _: int, *, within: float) -> AsyncIterator[list[Any]]:
        assert within > 0
        for batch in self.batches:
            yield [SimpleNamespace(message=_message(offset)) for offset in batch]

    async def ack(self, event: Any) -> None:
        self.acked.append(event.message.offset)


def _message(offset: int) -> Any:
    record = _record(offset)
    values = {name: getattr(record, name) for name in record.__dataclass_fields__}
    return SimpleNamespace(**values)


async def _run_agent(
    stream: FakeStream, answer: Any, *, should_stop: bool = False
) -> list[BaseException]:
    """Run the agent until its stream ends or it halts; return why it halted."""
    halt = Halt()
    agent = teach_agent(
        stream,
        side_by_side(answer),
        take=live_take(2),
        in_hand=InHand(),
        should_stop=lambda: should_stop,
        halt=halt,
    )
    task = asyncio.create_task(agent)
    ends: set[asyncio.Future[Any]] = {task, halt.reason}
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    await asyncio.wait([task])
    return [halt.reason.result()] if halt.reason.done() else []


async def test_a_batch_is_acknowledged_in_order_once_all_of_it_is_delivered() -> None:
    stream = FakeStream([0, 1, 2], [3])
    finished: list[int] = []

    async def answer(record: ConsumerRecord[bytes, bytes]) -> None:
        for _ in range(5 - record.offset):  # the first is the slowest
            await asyncio.sleep(0)
        assert record.offset not in stream.acked
        finished.append(record.offset)

    assert await _run_agent(stream, answer) == []
    assert finished == [2, 1, 0, 3]
    assert stream.acked == [0, 1, 2, 3]


async def test_a_batch_that_cannot_be_delivered_halts_the_worker_unacknowledged() -> None:
    stream = FakeStream([0, 1], [2])

    async def answer(record: ConsumerRecord[bytes, bytes]) -> None:
        if record.offset == 1:
            raise OSError("too large")

    (reason,) = await _run_agent(stream, answer)
    assert str(reason) == "too large"
    assert stream.acked == []


async def test_no_batch_is_begun_once_the_worker_stops() -> None:
    stream = FakeStream([0])

    async def answer(_: ConsumerRecord[bytes, bytes]) -> None:
        pytest.fail("asked")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await _run_agent(stream, answer, should_stop=True)
    assert stream.acked == []


def test_it_tells_how_long_a_batch_has_taken() -> None:
    fake_time = FakeTime()
    in_hand = InHand(clock=fake_time.clock.monotonic)
    seen = [in_hand.busy_s]
    with in_hand.batch():
        fake_time.now_s += 7
        seen.append(in_hand.busy_s)
    assert [*seen, in_hand.busy_s] == [None, 7, None]


async def test_the_batch_under_way_is_waited_for() -> None:
    in_hand = InHand()
    assert await in_hand.done(timeout_s=60)
    with in_hand.batch():
        waiting = asyncio.create_task(in_hand.done(timeout_s=60))
        await asyncio.sleep(0)
        assert not waiting.done()
    assert await waiting


async def test_a_batch_that_takes_too_long_is_waited_for_no_longer() -> None:
    in_hand = InHand()
    with in_hand.batch():
        assert not await in_hand.done(timeout_s=0.01)
