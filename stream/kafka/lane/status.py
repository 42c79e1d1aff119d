"""What a worker knows of itself, for readiness and liveness."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """One assigned partition.

    `lag` counts committed records not yet done, as of the last look at the broker;
    `last_progress_s` is when (`time.monotonic`) a batch was last done or nothing was left.
    """

    partition: int
    lag: int
    last_progress_s: float


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """All assigned partitions, and whether the broker answered when it was last asked."""

    partitions: tuple[PartitionStatus, ...]
    broker_reachable: bool
