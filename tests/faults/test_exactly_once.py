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
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.settings import KafkaSettings
from schemas.topics import record_id
from stream.kafka import clients
from stream.kafka.faults import Point
from stream.kafka.logs import read_to_end
from stream.kafka.topics import TopicSpec, create_topics
from stream.testing.apache_kafka import ApacheKafka

SEED = 20260101
RECORDS = 20_000
PARTITIONS = 3
POISON_EVERY = 97
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
    names = {name: f"eos.{SEED}.{name}" for name in ("text", "out", "dead")}
    kafka = KafkaSettings(
        bootstrap_servers=apache_kafka.bootstrap_servers,
        text_topic=names["text"],
        max_batch_records=200,
        session_timeout_ms=2_000,
    )
    await create_topics(kafka, [TopicSpec(name, PARTITIONS, 1) for name in names.values()])
    fed = asyncio.create_task(feed(kafka, names["text"]))
    faults = planned_faults(random.Random(SEED))
    hits = tmp_path / "hits"

    for number, (point, count, delay_s) in enumerate(faults):
        fault = {"point": point, "count": count, "delay_s": delay_s, "hits": str(hits)}
        worker = start_worker(tmp_path / f"plan-{number}.json", kafka, names, fault)
        workers.append(worker)
        code = await asyncio.to_thread(worker.wait, 90)
        assert code == -9, (point, (tmp_path / f"plan-{number}.log").read_text()[-2000:])

    worker = start_worker(tmp_path / "plan-last.json", kafka, names, {"point": None})
    workers.append(worker)
    expected = await fed
    await until(lambda: written(kafka, names, RECORDS), deadline_s=90)
    worker.terminate()
    assert await asyncio.to_thread(worker.wait, 60) == 0

    reached = [tuple(line.split()[:2]) for line in hits.read_text().splitlines()]
    assert reached == [(point, str(count)) for point, count, _ in faults]
    assert await results(kafka, names) == Counter(expected)
    out = [record async for record in read_to_end(kafka, names["out"])]
    assert len(out) == RECORDS - expected_poison()
    assert_in_order(out)


@pytest.mark.kafka
async def test_a_worker_frozen_until_another_took_over_does_no_harm_when_it_wakes(
    apache_kafka: ApacheKafka, tmp_path: Path, workers: list[subprocess.Popen[bytes]]
) -> None:
    names = {name: f"zombie.{SEED}.{name}" for name in ("text", "out", "dead")}
    kafka = KafkaSettings(
        bootstrap_servers=apache_kafka.bootstrap_servers,
        text_topic=names["text"],
        max_batch_records=20,
        session_timeout_ms=2_000,
    )
    await create_topics(kafka, [TopicSpec(name, PARTITIONS, 1) for name in names.values()])
    zombie = start_worker(tmp_path / "zombie.json", kafka, names, {"point": None})
    workers.append(zombie)
    fed = asyncio.create_task(feed(kafka, names["text"]))
    await until(lambda: written(kafka, names, 500), deadline_s=60)
    zombie.send_signal(signal.SIGSTOP)
    heir = start_worker(tmp_path / "heir.json", kafka, names, {"point": None})
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


async def feed(kafka: KafkaSettings, topic: str) -> list[str]:
    """Write the records, little by little, so that workers live and die amid them."""
    ids = []
    async with clients.started(lambda: clients.producer(kafka), settings=kafka) as producer:
        for number in range(RECORDS):
            value = b"poison" if number % POISON_EVERY == 0 else b"text"
            partition = number % PARTITIONS
            sent = await producer.send(topic, b"%s %d" % (value, number), partition=partition)
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
    plan: Path, kafka: KafkaSettings, names: dict[str, str], fault: dict[str, Any]
) -> subprocess.Popen[bytes]:
    settings = kafka.model_dump(mode="json", exclude_unset=True)
    who = {"group": f"eos-{SEED}", "out": names["out"], "dead": names["dead"]}
    plan.write_text(json.dumps({"kafka": settings, **who, **fault}))
    with plan.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, str(WORKER), str(plan)],
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )


async def results(kafka: KafkaSettings, names: dict[str, str]) -> Counter[str]:
    """Count, for each input record, its outputs and dead letters."""
    seen = Counter([record.value.decode() async for record in read_to_end(kafka, names["out"])])
    async for letter in read_to_end(kafka, names["dead"]):
        seen[dict(letter.headers)["origin-record-id"].decode()] += 1
    return seen


async def written(kafka: KafkaSettings, names: dict[str, str], count: int) -> bool:
    return (await results(kafka, names)).total() >= count


async def until(condition: Callable[[], Awaitable[bool]], *, deadline_s: float) -> None:
    deadline = time.monotonic() + deadline_s
    while not await condition():
        assert time.monotonic() < deadline, "the records did not come through in time"


def expected_poison() -> int:
    return len(range(0, RECORDS, POISON_EVERY))


def assert_in_order(records: list[Any]) -> None:
    last: dict[int, int] = {}
    for record in records:
        offset = int(record.value.decode().rsplit("-", 1)[1])
        assert offset > last.get(record.partition, -1)
        last[record.partition] = offset
