"""Nothing lost, nothing doubled, however often the worker dies."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.settings import KafkaSettings
from schemas.types import EntityEvent, TeacherRequest
from schemas.wire.codec import Codec
from schemas.wire.record_ids import record_id
from schemas.wire.topics import TopicNames
from stream.kafka import clients
from stream.kafka.lane.fault_points import Point
from stream.kafka.topic_logs import end_offsets, read_to_end
from stream.kafka.topics import TopicSpec, create_topics
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.bundles import write_bundle

SEED = 20260101
RECORDS = 20_000
PARTITIONS = 3
POISON_EVERY = 97
IN_LETTERS = bytes.maketrans(b"0123456789", b"abcdefghij")
WORKER = Path(__file__).with_name("doomed_worker.py")
REPOSITORY = Path(__file__).parents[2]

Fault = tuple[Point, int, float]


def planned_faults(rng: random.Random) -> list[Fault]:
    """Six deaths, around every step of a transaction, in an order and at counts by the seed.

    A death some milliseconds after the offsets were sent falls amid the commit.
    """
    points: list[tuple[Point, float]] = [
        ("before_produce", 0.0),
        ("after_produce", 0.0),
        ("after_produce", 0.0),
        ("after_offsets", 0.0),
        ("after_offsets", rng.uniform(0.002, 0.02)),
        ("after_commit", 0.0),
    ]
    rng.shuffle(points)
    return [(point, rng.randint(2, 12), delay_s) for point, delay_s in points]


@pytest.mark.kafka
async def test_twenty_thousand_records_survive_six_kills_exactly_once(
    apache_kafka: ApacheKafka, tmp_path: Path, workers: list[subprocess.Popen[bytes]]
) -> None:
    """Tagged, routed, dead-lettered: all outputs of a record, in three topics, come once."""
    kafka, names = await prepare(apache_kafka, "eos", max_batch_records=200)
    bundle = student(tmp_path / "student")
    fed = asyncio.create_task(feed(kafka))
    faults = planned_faults(random.Random(SEED))
    hits = tmp_path / "hits"

    for number, (point, count, delay_s) in enumerate(faults):
        fault = {"point": point, "count": count, "delay_s": delay_s, "hits": str(hits)}
        worker = start_worker(tmp_path / f"plan-{number}.json", kafka, bundle, fault)
        workers.append(worker)
        code = await asyncio.to_thread(worker.wait, 90)
        assert code == -9, (point, (tmp_path / f"plan-{number}.log").read_text()[-2000:])

    worker = start_worker(tmp_path / "plan-last.json", kafka, bundle, {"point": None})
    workers.append(worker)
    expected = await fed
    await until(lambda: written(kafka, names, RECORDS), deadline_s=90)
    worker.terminate()
    assert await asyncio.to_thread(worker.wait, 60) == 0

    reached = [tuple(line.split()[:2]) for line in hits.read_text().splitlines()]
    assert reached == [(point, str(count)) for point, count, _ in faults]
    assert await results(kafka, names) == Counter(expected)
    events = await decoded(kafka, names.entities, EntityEvent)
    assert sum(map(len, events)) == RECORDS - expected_poison()
    for of_partition in events:
        offsets = [int(event.record_id.rsplit("-", 1)[1]) for event in of_partition]
        assert offsets == sorted(offsets)
    deferred = {e.record_id for of in events for e in of if e.status == "provisional"}
    asked = [
        r.record_id
        for of in await decoded(kafka, names.teacher_requests, TeacherRequest)
        for r in of
    ]
    assert Counter(asked) == Counter(deferred)
    assert len(asked) > RECORDS // 20


@pytest.mark.kafka
async def test_a_worker_frozen_until_another_took_over_does_no_harm_when_it_wakes(
    apache_kafka: ApacheKafka, tmp_path: Path, workers: list[subprocess.Popen[bytes]]
) -> None:
    kafka, names = await prepare(apache_kafka, "zombie", max_batch_records=20)
    bundle = student(tmp_path / "student")
    zombie = start_worker(tmp_path / "zombie.json", kafka, bundle, {"point": None})
    workers.append(zombie)
    fed = asyncio.create_task(feed(kafka))
    await until(lambda: written(kafka, names, 500), deadline_s=60)
    zombie.send_signal(signal.SIGSTOP)
    heir = start_worker(tmp_path / "heir.json", kafka, bundle, {"point": None})
    workers.append(heir)
    expected = await fed
    await until(lambda: written(kafka, names, RECORDS // 2), deadline_s=90)
    zombie.send_signal(signal.SIGCONT)
    await until(lambda: written(kafka, names, RECORDS), deadline_s=90)
    for worker in (zombie, heir):
        worker.terminate()
    codes = [await asyncio.to_thread(worker.wait, 60) for worker in (zombie, heir)]

    # The zombie notices at its next commit (and halts) or at its next heartbeat (and joins again).
    assert codes[0] == 0 or "FencedError" in (tmp_path / "zombie.log").read_text()
    assert codes[1] == 0
    assert await results(kafka, names) == Counter(expected)


async def prepare(
    cluster: ApacheKafka, name: str, *, max_batch_records: int
) -> tuple[KafkaSettings, TopicNames]:
    """Make the topics of a test of this name."""
    kafka = KafkaSettings(
        bootstrap_servers=cluster.bootstrap_servers,
        topic_prefix=f"{name}.{SEED}.",
        text_topic=f"{name}.{SEED}.text",
        max_batch_records=max_batch_records,
        session_timeout_ms=2_000,
    )
    names = TopicNames.of(kafka)
    topics = (names.text, names.entities, names.teacher_requests, names.dead_letters)
    await create_topics(kafka, [TopicSpec(topic, PARTITIONS, 1) for topic in topics])
    return kafka, names


def student(folder: Path) -> Path:
    """Write a student that knows Ada, and is unsure of who may be one."""
    write_bundle(
        folder, labels=["PER"], words={"ada": "B-PER"}, certainties={"perhaps": 0.6}, task="test"
    )
    return folder


async def feed(kafka: KafkaSettings) -> list[str]:
    """Write the records, little by little, so that workers live and die amid them."""
    ids = []
    async with clients.started(lambda: clients.producer(kafka), settings=kafka) as producer:
        for number in range(RECORDS):
            word = b"\xff" if number % POISON_EVERY == 0 else (b"Perhaps", b"Ada")[number % 5 > 0]
            partition, topic = number % PARTITIONS, kafka.text_topic
            # In letters too: texts that differ in digits alone are asked about once.
            letters = str(number).encode().translate(IN_LETTERS)
            text = b"%s %s %d" % (word, letters, number)
            sent = await producer.send(topic, text, partition=partition)
            ids.append(record_id(topic, partition, number // PARTITIONS))
            if number % 100 == 0:
                await sent
        await producer.flush()
    return ids


@pytest.fixture
def workers() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Every worker started; what a failing test leaves behind is killed."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for worker in started:
        worker.kill()
        worker.wait()


def start_worker(
    plan: Path, kafka: KafkaSettings, bundle: Path, fault: dict[str, Any]
) -> subprocess.Popen[bytes]:
    settings = kafka.model_dump(mode="json", exclude_unset=True)
    who = {"group": f"eos-{SEED}", "bundle": str(bundle)}
    plan.write_text(json.dumps({"kafka": settings, **who, **fault}))
    with plan.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, str(WORKER), str(plan)],
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )


async def results(kafka: KafkaSettings, names: TopicNames) -> Counter[str]:
    """Count, for each input record, its events and dead letters."""
    events = await decoded(kafka, names.entities, EntityEvent)
    seen = Counter(event.record_id for of_partition in events for event in of_partition)
    async for letter in read_to_end(kafka, names.dead_letters):
        seen[dict(letter.headers)["origin-record-id"].decode()] += 1
    return seen


async def decoded(kafka: KafkaSettings, topic: str, kind: type[Any]) -> list[list[Any]]:
    """Read the committed records of each partition, in order."""
    codec, found = Codec(), defaultdict[int, list[Any]](list)
    async for record in read_to_end(kafka, topic):
        found[record.partition].append(codec.decode(kind, record.value or b""))
    return list(found.values())


async def written(kafka: KafkaSettings, names: TopicNames, count: int) -> bool:
    ends = [await end_offsets(kafka, topic) for topic in (names.entities, names.dead_letters)]
    # Markers of transactions take offsets too, so this many are a first sign only.
    enough = sum(sum(of.values()) for of in ends) >= count
    return enough and (await results(kafka, names)).total() >= count


async def until(condition: Callable[[], Awaitable[bool]], *, deadline_s: float) -> None:
    deadline = time.monotonic() + deadline_s
    while not await condition():
        assert time.monotonic() < deadline, "the records did not come through in time"


def expected_poison() -> int:
    return len(range(0, RECORDS, POISON_EVERY))
