from __future__ import annotations

from collections.abc import Mapping

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError
from faust.exceptions import ConsumerNotStarted

from stream.teach.lag import TeachLag
from stream.testing.fake_time import FakeTime


class FakeConsumer:
    """Faust's, as far as it is asked."""

    def __init__(self) -> None:
        self.positions: dict[int, int | None] = {}
        self.started = True
        self.error: Exception | None = None

    def assignment(self) -> set[tuple[str, int]]:
        if not self.started:
            raise ConsumerNotStarted
        return {("requests", partition) for partition in self.positions}

    async def position(self, tp: TopicPartition) -> int | None:
        if self.error:
            raise self.error
        return self.positions[tp.partition]


class Bench:
    def __init__(self, fake_time: FakeTime) -> None:
        self.fake_time = fake_time
        self.consumer = FakeConsumer()
        self.busy = False
        self.lag = TeachLag(
            "requests",
            consumer=lambda: self.consumer,
            busy=lambda: self.busy,
            clock=fake_time.clock.monotonic,
        )

    async def look(
        self, positions: Mapping[int, int | None], ends: Mapping[int, int], *, after_s: float = 0.0
    ) -> None:
        self.fake_time.now_s += after_s
        self.consumer.positions = dict(positions)
        await self.lag.saw_ends({TopicPartition("requests", p): end for p, end in ends.items()})


@pytest.fixture
def bench(fake_time: FakeTime) -> Bench:
    return Bench(fake_time)


def test_before_the_first_look_nothing_stands_still(bench: Bench) -> None:
    bench.fake_time.now_s += 100
    assert bench.lag.standstill_s == 0.0


async def test_it_stands_still_while_there_is_something_to_read_and_nothing_is_read(
    bench: Bench,
) -> None:
    for after_s in (0.0, 10.0, 10.0):
        await bench.look({0: 3, 1: 7}, {0: 5, 1: 7}, after_s=after_s)
    assert bench.lag.lags == {0: 2, 1: 0}
    bench.fake_time.now_s += 5
    assert bench.lag.standstill_s == 25.0


@pytest.mark.parametrize(("position", "busy"), [(4, False), (3, True)])
async def test_reading_and_being_busy_are_moves(bench: Bench, position: int, *, busy: bool) -> None:
    await bench.look({0: 3}, {0: 5})
    bench.busy = busy
    await bench.look({0: position}, {0: 5}, after_s=10)
    bench.fake_time.now_s += 2
    assert bench.lag.standstill_s == 2.0


@pytest.mark.parametrize("positions", [{0: 5}, {}])
async def test_with_nothing_to_read_it_does_not_stand_still(
    bench: Bench, positions: dict[int, int]
) -> None:
    await bench.look({0: 3}, {0: 5})
    await bench.look(positions, {0: 5}, after_s=10)
    bench.fake_time.now_s += 2
    assert bench.lag.standstill_s == 0.0


async def test_a_partition_whose_end_or_position_is_unknown_does_not_lag(bench: Bench) -> None:
    await bench.look({0: 3, 1: None}, {1: 5})
    assert bench.lag.lags == {}


async def test_an_outage_of_the_brokers_is_no_standstill(bench: Bench) -> None:
    await bench.look({0: 3}, {0: 5})
    bench.fake_time.now_s += 100
    bench.lag.saw_outage()
    await bench.look({0: 3}, {0: 5}, after_s=2)
    bench.fake_time.now_s += 1
    assert bench.lag.standstill_s == 3.0


@pytest.mark.parametrize(
    ("error", "expected"),
    [(None, {0: 4}), (TimeoutError(), {0: 6}), (IllegalStateError("no longer ours"), {})],
)
async def test_positions_are_those_of_fausts_consumer_while_it_answers(
    bench: Bench, error: Exception | None, expected: dict[int, int]
) -> None:
    await bench.look({0: 3}, {0: 9})
    bench.consumer.error = error
    await bench.look({0: 5}, {0: 9})
    assert bench.lag.lags == expected


async def test_partitions_are_those_of_fausts_consumer_once_it_runs(bench: Bench) -> None:
    bench.consumer.positions = {2: 0, 1: 0}
    assert bench.lag.partitions() == [1, 2]
    assert bench.lag.sources() == [TopicPartition("requests", 1), TopicPartition("requests", 2)]
    bench.consumer.started = False
    assert bench.lag.partitions() == []


async def test_without_a_consumer_there_is_nothing_to_read() -> None:
    lag = TeachLag("requests", consumer=lambda: None, busy=lambda: False)
    await lag.saw_ends({TopicPartition("requests", 0): 5})
    assert (lag.partitions(), lag.lags) == ([], {})
