from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aiokafka import ConsumerRecord
from structlog.testing import capture_logs

from schemas.errors import DecodeError, SchemaRegistryUnavailableError, TextError
from schemas.settings import KafkaSettings, TopicSettings
from schemas.wire.topics import TopicNames
from stream.kafka.lane.observer import BatchReport
from stream.kafka.lane.worker import LaneWorker
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.messages import Outgoing
from stream.kafka.topics import create_topics, specs
from stream.testing.lanes import feed, running, until
from stream.watch.lane_metrics import LaneMetrics
from stream.watch.metrics import Metrics


def _sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"silverstream_{name}", labels)


def test_a_batch_is_counted_and_logged_once() -> None:
    metrics = Metrics()
    errors = (DecodeError("x"), TextError("y"), DecodeError("z"))
    report = BatchReport(partition=3, records=100, outgoing=110, errors=errors, seconds=0.2, lag=7)
    report = replace(report, deletes=5)
    with capture_logs() as logs:
        LaneMetrics(metrics, student=lambda: "v1").delivered(report)
    assert _sample(metrics, "records_total") == 100
    assert _sample(metrics, "deletes_total") == 5
    assert _sample(metrics, "batches_total") == 1
    assert _sample(metrics, "dead_letters_total", code="undecodable") == 2
    assert _sample(metrics, "dead_letters_total", code="bad_text") == 1
    assert _sample(metrics, "batch_seconds_sum") == 0.2
    (event,) = logs
    assert event["event"] == "batch"
    assert (event["records"], event["failed"], event["student"]) == (100, 3, "v1")
    assert event["deletes"] == 5


def test_records_that_expired_are_counted() -> None:
    metrics = Metrics()
    LaneMetrics(metrics, student=str).expired(3, 17)
    assert _sample(metrics, "expired_records_total") == 17


async def test_a_lane_whose_batches_all_fail_shows_its_lag(embedded_broker: EmbeddedBroker) -> None:
    kafka = KafkaSettings(
        bootstrap_servers=embedded_broker.bootstrap_servers,
        delivery="at_least_once",
        topic_prefix="lag.",
        text_topic="lag.text",
    )
    names = TopicNames.of(kafka)
    await create_topics(kafka, specs(names, TopicSettings(partitions=1)))
    await feed(kafka, [b"text"] * 3, partitions=1)
    metrics = Metrics()
    worker = LaneWorker(
        kafka,
        group_id="lag",
        transactional_prefix="lag",
        make_processor=lambda _: _unavailable,
        dead_letter_topic=names.dead_letters,
        observer=LaneMetrics(metrics, student=str),
    )
    metrics.watch_lag(lambda: {part.partition: part.lag for part in worker.status().partitions})
    async with running(worker):
        await until(lambda: (_sample(metrics, "retries_total") or 0) >= 2)
        await until(lambda: _sample(metrics, "lag_records", partition="0") == 3)
    assert _sample(metrics, "batches_total") == 0


async def _unavailable(_: Sequence[ConsumerRecord]) -> list[tuple[Outgoing]]:
    raise SchemaRegistryUnavailableError("it answered 503")


def test_the_partitions_held_are_counted() -> None:
    metrics = Metrics()
    observer = LaneMetrics(metrics, student=str)
    observer.assigned([0, 1])
    assert _sample(metrics, "assigned_partitions") == 2
    observer.revoked([0, 1])
    assert _sample(metrics, "assigned_partitions") == 0


def test_a_lane_that_begins_again_is_counted() -> None:
    metrics = Metrics()
    LaneMetrics(metrics, student=str).retried(0, OSError("gone"))
    assert _sample(metrics, "retries_total") == 1
