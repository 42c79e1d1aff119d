from __future__ import annotations

from stream.kafka.lane.status import PartitionStatus, WorkerStatus


def test_a_worker_stands_still_for_as_long_as_the_worst_of_its_lanes() -> None:
    parts = (PartitionStatus(0, 5, 2.0), PartitionStatus(1, 5, 40.0))
    assert WorkerStatus(parts, broker_reachable=True).standstill_s == 40.0
    assert WorkerStatus((), broker_reachable=True).standstill_s == 0.0
