from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, KafkaConnectionError, KafkaError

from schemas.errors import ConfigError
from schemas.settings import KafkaSettings
from stream.kafka.lane import worker as worker_module
from stream.kafka.lane.lane import Lane
from stream.kafka.lane.worker import LaneWorker
from stream.kafka.messages import Outgoing


class Member(LaneWorker):
    """Its membership ends with the errors it was given, then it stops in order."""

    def __init__(self, *errors: KafkaError) -> None:
        super().__init__(
            KafkaSettings(),
            group_id="group",
            transactional_prefix="group",
            make_processor=lambda _: drop,
            dead_letter_topic="dead",
        )
        self.errors = list(errors)

    async def _check(self) -> None:
        pass

    async def _be_a_member(self, timeout_s: float) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.request_stop()


async def drop(records: Sequence[ConsumerRecord]) -> list[tuple[Outgoing]]:
    return [() for _ in records]  # type: ignore[misc]  # no output at all


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "_REJOIN_WAIT_S", 0.001)


async def test_a_group_that_we_may_not_join_halts() -> None:
    with pytest.raises(ConfigError, match=r"forbids it: .*group"):
        await asyncio.wait_for(Member(GroupAuthorizationFailedError("group")).run(), 60)


async def test_a_lost_membership_is_taken_up_again() -> None:
    worker = Member(KafkaConnectionError("gone"))
    await asyncio.wait_for(worker.run(), 60)
    assert worker.errors == []


class Brokers:
    """A consumer whose brokers tell where its partition ends, or are away."""

    def __init__(self, *, away: bool) -> None:
        self.away = away

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        if self.away:
            raise KafkaConnectionError("gone")
        return dict.fromkeys(partitions, 7)


class Looked:
    """A lane that writes down what it is told."""

    def __init__(self) -> None:
        self.source = TopicPartition("text", 0)
        self.seen: list[str] = []

    def saw_end(self, offset: int) -> None:
        self.seen.append(f"end {offset}")

    def saw_outage(self) -> None:
        self.seen.append("outage")


async def test_lanes_are_told_where_their_partitions_end_and_of_outages() -> None:
    worker, lane = Member(), Looked()
    worker._lanes = {cast("Lane", lane): cast("asyncio.Task[None]", None)}
    for away in (False, True, False):
        await worker._look(cast("AIOKafkaConsumer", Brokers(away=away)))
    assert lane.seen == ["end 7", "outage", "end 7"]
