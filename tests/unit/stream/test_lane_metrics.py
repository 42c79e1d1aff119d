from __future__ import annotations

from structlog.testing import capture_logs

from stream.errors import DecodeError, TextError
from stream.kafka.lanes import BatchReport
from stream.lane_metrics import LaneMetrics
from stream.metrics import Metrics


def _sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"silverstream_{name}", labels)


def test_a_batch_is_counted_and_logged_once() -> None:
    metrics = Metrics()
    errors = (DecodeError("x"), TextError("y"), DecodeError("z"))
    report = BatchReport(partition=3, records=100, outgoing=110, errors=errors, seconds=0.2, lag=7)
    with capture_logs() as logs:
        LaneMetrics(metrics, student=lambda: "v1").delivered(report)
    assert _sample(metrics, "records_total") == 100
    assert _sample(metrics, "batches_total") == 1
    assert _sample(metrics, "dead_letters_total", code="undecodable") == 2
    assert _sample(metrics, "dead_letters_total", code="bad_text") == 1
    assert _sample(metrics, "lag_records", partition="3") == 7
    assert _sample(metrics, "batch_seconds_sum") == 0.2
    (event,) = logs
    assert event["event"] == "batch"
    assert (event["records"], event["failed"], event["student"]) == (100, 3, "v1")


def test_partitions_that_went_away_show_no_lag() -> None:
    metrics = Metrics()
    observer = LaneMetrics(metrics, student=str)
    observer.assigned([0, 1])
    observer.delivered(
        BatchReport(partition=0, records=1, outgoing=1, errors=(), seconds=0.1, lag=5)
    )
    assert _sample(metrics, "assigned_partitions") == 2
    observer.revoked([0, 1])
    assert _sample(metrics, "assigned_partitions") == 0
    assert _sample(metrics, "lag_records", partition="0") is None


def test_a_lane_that_begins_again_is_counted() -> None:
    metrics = Metrics()
    LaneMetrics(metrics, student=str).retried(0, OSError("gone"))
    assert _sample(metrics, "retries_total") == 1
