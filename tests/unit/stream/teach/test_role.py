from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    IllegalStateError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NodeNotReadyError,
    TopicAuthorizationFailedError,
)

from schemas.errors import OutputTooLargeError
from schemas.files.task import LabelSpec, Task
from schemas.settings import load_settings
from schemas.wire.codec import Codec
from stream.frame.faust_app import FaustApp
from stream.kafka import clients
from stream.kafka.messages import Outgoing
from stream.teach import role as teach_role
from stream.teach.role import TeachRole
from stream.watch.metrics import Metrics

TASK = Task("test", "en", (LabelSpec("PER"),))
LABEL = Outgoing("labels", b"v", key=b"k")


class FakeProducer:
    """Fails with each of the errors in turn, then delivers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.sent: list[tuple[str, bytes, bytes]] = []

    async def send_and_wait(self, topic: str, value: bytes, *, key: bytes) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append((topic, value, key))


@pytest.fixture
async def role(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TeachRole]:
    monkeypatch.setattr(teach_role, "_RETRY_WAIT_S", 0.0)
    settings = load_settings(
        None,
        teacher={"state": str(tmp_path / "t.sqlite")},
        kafka={"drain_timeout_s": 0.05},
    )
    made = TeachRole(
        settings,
        task=TASK,
        codec=Codec(),
        metrics=Metrics(),
        now_ms=lambda: 0,
        halt=lambda reason: pytest.fail(repr(reason)),
    )
    yield made
    made._producer = None
    await made.stop()


def _give(role: TeachRole, producer: Any) -> None:
    role._producer = cast("AIOKafkaProducer", producer)


async def test_a_delivery_waits_for_brokers_that_are_away(role: TeachRole) -> None:
    producer = FakeProducer(NodeNotReadyError(), KafkaTimeoutError())
    _give(role, producer)
    await role._deliver(LABEL, beside=None)
    assert producer.sent == [("labels", b"v", b"k")]
    assert role._in_hand.delivering


def _assign(role: TeachRole, *partitions: int) -> None:
    assignment = {("requests", partition) for partition in partitions}
    consumer = SimpleNamespace(assignment=lambda: assignment)
    role._app = cast("FaustApp", SimpleNamespace(consumer=consumer))


async def test_it_is_ready_with_partitions_and_brokers_that_answer(role: TeachRole) -> None:
    role._probe.reachable = True
    assert not role.health().ready
    _assign(role, 1, 0)
    assert role.health().ready
    assert role.health().facts["teach_partitions"] == [0, 1]
    role._probe.reachable = False
    assert not role.health().ready


async def test_it_is_not_ready_while_deliveries_fail(role: TeachRole) -> None:
    role._probe.reachable = True
    _assign(role, 0)
    _give(role, FakeProducer(NodeNotReadyError()))
    assert not await role._delivered(LABEL, None)
    assert not role.health().ready
    assert role.health().live


async def test_a_batch_that_takes_for_ever_kills_it_unless_the_brokers_are_away(
    role: TeachRole,
) -> None:
    role._probe.reachable = True
    with role._in_hand.batch():
        assert role.health().live
        role._in_hand._since_s -= 1e6
        assert not role.health().live
        role._probe.reachable = False
        assert role.health().live


async def test_a_batch_that_waits_for_a_busy_teacher_is_alive_while_it_goes_on_trying(
    role: TeachRole,
) -> None:
    role._probe.reachable = True
    with role._in_hand.batch():
        role._in_hand._since_s -= 1e6
        role._teacher.tried_at_s = time.monotonic()
        assert role.health().live
        role._teacher.tried_at_s -= 1e5
        assert not role.health().live


async def test_a_record_that_the_brokers_refuse_is_told_from_a_delivery_that_fails(
    role: TeachRole,
) -> None:
    _give(role, FakeProducer(MessageSizeTooLargeError(), TopicAuthorizationFailedError()))
    with pytest.raises(OutputTooLargeError, match="labels does not take a record of 1 bytes"):
        await role._deliver(LABEL, beside=None)
    with pytest.raises(TopicAuthorizationFailedError):
        await role._deliver(LABEL, beside=None)


async def test_requests_that_nobody_reads_kill_it_unless_the_brokers_are_away(
    role: TeachRole,
) -> None:
    role._probe.reachable = True
    for _ in range(2):
        role._lag.saw({0: 3}, {0: 5}, busy=False, now_s=0.0)
    assert role.health().facts["teach_lag"] == {"0": 2}
    assert not role.health().live
    role._probe.reachable = False
    assert role.health().live


@pytest.mark.parametrize(
    ("error", "expected"),
    [(None, {0: 5}), (TimeoutError(), {0: 3}), (IllegalStateError("no longer ours"), {})],
)
async def test_positions_are_those_of_fausts_consumer_while_it_answers(
    role: TeachRole, error: Exception | None, expected: dict[int, int]
) -> None:
    async def position(_: TopicPartition) -> int:
        if error:
            raise error
        return 5

    role._app = cast("FaustApp", SimpleNamespace(consumer=SimpleNamespace(position=position)))
    role._lag.saw({0: 3}, {0: 9}, busy=False, now_s=0.0)
    assert await role._positions([TopicPartition("requests", 0)]) == expected


async def test_the_drain_waits_for_the_batch_under_way(role: TeachRole) -> None:
    await role.drain()
    with role._in_hand.batch():
        draining = asyncio.create_task(role.drain())
        await asyncio.sleep(0)
        assert not draining.done()
    await draining


async def test_the_drain_gives_up_after_its_time(role: TeachRole) -> None:
    with role._in_hand.batch():
        await role.drain()


async def test_the_consumer_reads_committed_records_only(role: TeachRole) -> None:
    consumer = role.make_consumer()
    assert consumer._isolation_level == "read_committed"
    assert consumer._group_id == "silverstream-test-teach"
    assert consumer._enable_auto_commit is False
    await clients.stop(consumer)
