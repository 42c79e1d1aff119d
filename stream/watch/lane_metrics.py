"""What the lanes do, as metrics and one log event a batch; the rest the lanes log themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from stream.kafka.lane.observer import BatchReport
from stream.watch.metrics import Metrics

_log = structlog.get_logger()


class LaneMetrics:
    """A `stream.kafka.lane.observer.LaneObserver`; `student` names the one that serves."""

    def __init__(self, metrics: Metrics, *, student: Callable[[], str]) -> None:
        self._metrics = metrics
        self._student = student

    def assigned(self, partitions: Sequence[int]) -> None:
        """Count the partitions, which are all that this worker holds."""
        self._metrics.assigned.set(len(partitions))

    def revoked(self, partitions: Sequence[int]) -> None:
        """Count the partitions no more."""
        self._metrics.assigned.dec(len(partitions))

    def delivered(self, report: BatchReport) -> None:
        """Count a batch and its dead letters."""
        metrics = self._metrics
        metrics.batches.inc()
        metrics.records.inc(report.records)
        metrics.deletes.inc(report.deletes)
        metrics.batch_seconds.observe(report.seconds)
        for error in report.errors:
            metrics.dead_letters.labels(error.code).inc()
        _log.info(
            "batch",
            partition=report.partition,
            records=report.records,
            failed=len(report.errors),
            deletes=report.deletes,
            seconds=round(report.seconds, 4),
            lag=report.lag,
            student=self._student(),
        )

    def retried(self, partition: int, error: Exception) -> None:
        """Count a lane that begins again; the lane itself logs why."""
        del partition, error
        self._metrics.retries.inc()

    def expired(self, partition: int, records: int) -> None:
        """Count records that were lost to us; the lane itself logs where."""
        del partition
        self._metrics.expired.inc(records)
