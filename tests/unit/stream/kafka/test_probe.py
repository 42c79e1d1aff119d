from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, KafkaConnectionError
from structlog.testing import capture_logs

from stream.kafka.probe import BrokerProbe

OURS = TopicPartition("text", 3)


class Brokers:
    """A consumer whose brokers tell where partitions end, or are away."""

    def __init__(self) -> None:
        self.away = False
        self.asked: list[TopicPartition] = []

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        self.asked += partitions
        if self.away:
            raise KafkaConnectionError("gone")
        return dict.fromkeys(partitions, 7)


class Reader:
    """Writes down what it is told."""

    def __init__(self, *sources: TopicPartition) -> None:
        self.reads = list(sources)
        self.seen: list[Mapping[TopicPartition, int] | str] = []

    def sources(self) -> list[TopicPartition]:
        return self.reads

    async def saw_ends(self, ends: Mapping[TopicPartition, int]) -> None:
        self.seen.append(ends)

    def saw_outage(self) -> None:
        self.seen.append("outage")


class EnoughError(Exception):
    """Ends a watch."""


async def watch(probe: BrokerProbe, brokers: Any, reader: Reader, *outages: bool) -> None:
    """Look as often as there are outages to be or not to be."""
    left = list(outages)

    async def sleep(_: float) -> None:
        if not left:
            raise EnoughError
        brokers.away = left.pop(0)

    brokers.away = left.pop(0)
    with pytest.raises(EnoughError):
        await probe.watch(brokers, reader, sleep=sleep)


async def test_a_reader_is_told_where_its_partitions_end_and_of_outages() -> None:
    probe, reader = BrokerProbe("kafka:9092", "text"), Reader(OURS)
    reachable = [probe.reachable]
    with capture_logs() as logs:
        await watch(probe, Brokers(), reader, False, True, True, False)
    assert reader.seen == [{OURS: 7}, "outage", "outage", {OURS: 7}]
    assert [*reachable, probe.reachable] == [False, True]
    events = [entry["event"] for entry in logs]
    assert events == ["broker_reached", "broker_lost", "broker_reached"]


async def test_without_partitions_the_brokers_are_asked_all_the_same() -> None:
    probe, brokers = BrokerProbe("kafka:9092", "text"), Brokers()
    await watch(probe, brokers, Reader(), False)
    assert brokers.asked == [TopicPartition("text", 0)]
    assert probe.reachable


async def test_what_the_check_before_each_look_raises_ends_the_watch() -> None:
    def check() -> None:
        raise GroupAuthorizationFailedError("group")

    brokers: Any = Brokers()
    with pytest.raises(GroupAuthorizationFailedError):
        await BrokerProbe("kafka:9092", "text").watch(brokers, Reader(OURS), check=check)
    assert brokers.asked == []
