"""Each revision once, however often the run that publishes them dies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from schemas.settings import KafkaSettings
from schemas.types import Entity, EntityEvent, text_digest
from schemas.wire.codec import Codec
from schemas.wire.record_ids import record_id
from schemas.wire.topics import TopicNames
from stream.kafka import clients
from stream.kafka.lane.fault_points import Point
from stream.kafka.topic_logs import read_to_end
from stream.kafka.topics import TopicSpec, create_topics
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.bundles import write_bundle
from stream.testing.messages import an_event

RECORDS, PARTITIONS = 600, 2
NAME = "revised"
SCRIPT = Path(__file__).with_name("doomed_revision.py")
REPOSITORY = Path(__file__).parents[2]
FAULTS: list[tuple[Point, int]] = [
    ("before_produce", 2),
    ("after_produce", 1),
    ("after_produce", 3),
    ("after_commit", 2),
    ("after_produce", 2),
]


@pytest.mark.kafka
async def test_six_hundred_records_are_revised_once_each_although_five_runs_are_killed(
    apache_kafka: ApacheKafka, tmp_path: Path
) -> None:
    """A third keeps its first revision, which is right."""
    kafka = KafkaSettings(
        bootstrap_servers=apache_kafka.bootstrap_servers,
        topic_prefix=f"{NAME}.",
        text_topic=f"{NAME}.text",
        max_batch_records=20,
        transaction_timeout_ms=10_000,
    )
    write_bundle(tmp_path / "student", labels=["PER", "LOC"], words={"ada": "B-PER"}, version="v2")
    ids = await publish(kafka)
    plan = {"group": f"{NAME}-test", "bundle": str(tmp_path / "student")}

    for point, count in FAULTS:
        died = start(tmp_path, kafka, plan | {"point": point, "count": count})
        assert died.returncode == -9, died.stderr[-2000:]
    last = start(tmp_path, kafka, plan)

    assert last.returncode == 0, last.stderr[-2000:]
    told = json.loads(last.stdout)
    assert told["read"] == RECORDS
    assert 0 < told["published"] < RECORDS * 2 // 3
    revisions = Counter[tuple[str, int]]()
    async for record in read_to_end(kafka, TopicNames.of(kafka).entities):
        event = Codec().decode(EntityEvent, record.value or b"")
        revisions[event.record_id, event.revision] += 1
    wrong = [one for number, one in enumerate(ids) if number % 3]
    expected = {**{(one, 1): 1 for one in ids}, **{(one, 3): 1 for one in wrong}}
    assert revisions == expected


async def publish(kafka: KafkaSettings) -> list[str]:
    """Write texts and their first revisions, of which two of three are wrong."""
    names, codec = TopicNames.of(kafka), Codec()
    await create_topics(kafka, [TopicSpec(x, PARTITIONS, 1) for x in (names.text, names.entities)])
    ids = []
    async with clients.started(lambda: clients.producer(kafka), settings=kafka) as producer:
        for number in range(RECORDS):
            partition, label = number % PARTITIONS, "LOC" if number % 3 else "PER"
            ids.append(record_id(names.text, partition, number // PARTITIONS))
            event = an_event(
                record_id=ids[-1],
                text_digest=text_digest("Ada"),
                entities=(Entity(0, 3, label, "Ada"),),
            )
            value = codec.encode(event, names.entities)
            await producer.send(names.text, b"Ada", partition=partition)
            await producer.send(names.entities, value, partition=partition)
        await producer.flush()
    return ids


def start(
    folder: Path, kafka: KafkaSettings, plan: dict[str, Any]
) -> subprocess.CompletedProcess[str]:
    """Run a revision to its end, or to its death."""
    file = folder / f"plan-{time.time_ns()}.json"
    settings = kafka.model_dump(mode="json", exclude_unset=True)
    file.write_text(json.dumps({"kafka": settings, **plan}))
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
