from __future__ import annotations

import asyncio

import pytest

from schemas.errors import SilverstreamError
from schemas.files.task import LabelSpec, Task
from schemas.settings import load_settings
from schemas.types import RoutingPolicy, text_digest
from schemas.wire.codec import Codec
from stream.frame.health import RoleHealth
from stream.kafka.lane.status import PartitionStatus, WorkerStatus
from stream.tag.role import TagRole, lane_router
from stream.watch.metrics import Metrics

TASK = Task("test", "en", (LabelSpec("PER"),))


class FakeLanes:
    def __init__(self, status: WorkerStatus) -> None:
        self._status = status

    def status(self) -> WorkerStatus:
        return self._status

    async def run(self) -> None:
        return

    def request_stop(self) -> None:
        return


async def _health(
    *parts: PartitionStatus,
    reachable: bool = True,
    serving: bool = True,
    metrics: Metrics | None = None,
) -> RoleHealth:
    status = WorkerStatus(partitions=parts, broker_reachable=reachable)
    role = TagRole(
        load_settings(None, kafka={"stall_timeout_s": 60}),
        task=TASK,
        codec=Codec(),
        metrics=metrics or Metrics(),
        now_ms=lambda: 0,
        halt=lambda reason: pytest.fail(repr(reason)),
        make_lanes=lambda *_, **__: FakeLanes(status),
    )
    if serving:
        role.follower.caught_up = True
        role.follower.loaded.set()
    health = role.health()
    await role.stop()
    return health


def _part(*, lag: int = 0, standstill_s: float = 0.0) -> PartitionStatus:
    return PartitionStatus(partition=2, lag=lag, standstill_s=standstill_s)


async def test_it_is_ready_with_a_student_and_partitions() -> None:
    health = await _health(_part(lag=5))
    assert (health.ready, health.live) == (True, True)
    assert health.facts["partitions"] == [2]
    assert health.facts["lag"] == {"2": 5}


async def test_it_is_not_ready_without_a_student_partitions_or_brokers() -> None:
    assert not (await _health(_part(), serving=False)).ready
    assert not (await _health()).ready
    assert not (await _health(_part(), reachable=False)).ready


async def test_it_dies_when_lag_stands_without_progress() -> None:
    assert (await _health(_part(lag=5, standstill_s=59))).live
    assert not (await _health(_part(lag=5, standstill_s=61))).live


async def test_it_lives_on_while_there_is_nothing_to_do_or_no_broker_to_ask() -> None:
    assert (await _health(_part(lag=0))).live
    assert (await _health(_part(lag=5, standstill_s=600), reachable=False)).live


async def test_its_lag_is_shown_by_the_metrics() -> None:
    metrics = Metrics()
    await _health(_part(lag=5), metrics=metrics)
    labels = {"partition": "2"}
    assert metrics.registry.get_sample_value("silverstream_lag_records", labels) == 5


async def test_the_facts_name_the_promotion_that_serves() -> None:
    health = await _health(_part())
    assert health.facts["student_version"] is None
    assert health.facts["sequence"] is None


async def test_what_ends_following_is_told_as_it_is() -> None:
    told: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
    nowhere = {"bootstrap_servers": "127.0.0.1:1", "startup_timeout_s": 0.05}
    role = TagRole(
        load_settings(None, kafka=nowhere),
        task=TASK,
        codec=Codec(),
        metrics=Metrics(),
        now_ms=lambda: 0,
        halt=lambda reason: None if told.done() else told.set_result(reason),
        make_lanes=lambda *_, **__: FakeLanes(WorkerStatus(partitions=(), broker_reachable=False)),
    )
    await role.start()
    error = await asyncio.wait_for(told, 60)
    await role.stop()
    assert isinstance(error, SilverstreamError)
    assert "127.0.0.1:1" in str(error)


@pytest.mark.parametrize(("gold", "granted"), [(None, 120), ("gold.jsonl", 200)])
def test_lanes_leave_a_part_of_the_budget_to_judging_where_there_is_no_gold(
    gold: str | None, granted: int
) -> None:
    settings = load_settings(None, routing={"budget_share": 0.1}, distill={"gold": gold})
    router, policy = lane_router(settings), RoutingPolicy(1.0, 0.0, 0)
    grants = [router.decide(i % 97 / 97, text_digest(str(i)), policy) for i in range(2000)]
    assert 0.9 * granted < sum(one.granted for one in grants) <= granted
