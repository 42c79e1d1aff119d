"""What a worker knows of itself, for readiness and liveness."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """One assigned partition.

    `lag` counts committed records not yet done, as of the last look at the broker;
    `standstill_s` tells for how long there has been lag and no progress (`kafka.standstill`).
    """

    partition: int
    lag: int
    standstill_s: float


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """All assigned partitions, and whether the broker answered when it was last asked."""

    partitions: tuple[PartitionStatus, ...]
    broker_reachable: bool

    @property
    def standstill_s(self) -> float:
        """For how long the lane that has stood still for longest has done so."""
        return max((part.standstill_s for part in self.partitions), default=0.0)
