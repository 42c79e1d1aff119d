"""An installation of 0.1.0 goes on under today's code: its topics, groups, students and files."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from base64 import b64decode
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import ProducerFenced

from distill.labels.journal import KafkaJournal
from schemas.settings import Settings, load_settings
from schemas.types import EntityEvent
from schemas.wire.codec import Codec
from stream.kafka.local.embedded import EmbeddedBroker, free_port
from stream.kafka.topic_logs import read_to_end
from stream.testing.apache_kafka import ApacheKafka

Read = Callable[[str], Any]
Plain = Callable[[Any, Any], Any]

DEADLINE_S = 90.0
TEXTS, EVENTS = "keepsake-text", "keepsake.entities"
SURE, UNSURE = b"Letters for Jolan still arrive at Fennmoor .", b"Qwlth drlm ! Zzyx , 17 ?"


@dataclass(frozen=True)
class Installation:
    """Its folder, with a settings file, and what its topics hold."""

    folder: Path
    records: list[dict[str, Any]]
    groups: dict[str, Any]

    @property
    def settings(self) -> Settings:
        return load_settings(self.folder / "settings.yaml")

    def command(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "stream.cli.main", *arguments, "--config", "settings.yaml"],
                cwd=self.folder,
                env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | environment,
                stdout=log,
                stderr=log,
            )

    def counts(self) -> Counter[tuple[str, int]]:
        """How many records each partition holds."""
        return Counter((record["topic"], record["partition"]) for record in self.records)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")


Install = Callable[..., Installation]


@pytest.fixture(scope="module")
def install(kept: Path, read: Read, tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Make an installation on a broker: files, topics and committed offsets as 0.1.0 left them."""

    def make(servers: str, **kafka: object) -> Installation:
        folder = tmp_path_factory.mktemp("installation")
        shutil.copytree(kept / "models", folder / "models")
        shutil.copytree(kept / "snapshots", folder / "snapshots")
        shutil.copy(kept / "task.yaml", folder)
        (folder / "state").mkdir()
        shutil.copy(kept / "teacher.sqlite", folder / "state")
        values = yaml.safe_load((kept / "installation.yaml").read_text(encoding="utf-8"))
        values["kafka"] |= {"bootstrap_servers": servers, **kafka}
        values["routing"]["budget_share"] = 1.0
        values["teacher"]["budget_usd_per_day"] = 0.0  # so that a teacher need not be there
        (folder / "settings.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        left = Installation(folder, **read("records.json"))
        assert left.command("topics", "create").wait(DEADLINE_S) == 0, left.log
        asyncio.run(restore(servers, left))
        return left

    return make


@pytest.fixture(scope="module")
def installation(install: Install, embedded_broker: EmbeddedBroker) -> Installation:
    return install(embedded_broker.bootstrap_servers)


@pytest.fixture
def exactly_once(install: Install, apache_kafka: ApacheKafka) -> Installation:
    return install(apache_kafka.bootstrap_servers, delivery="exactly_once")


async def restore(servers: str, left: Installation) -> None:
    """Write the records again, and commit that those of the groups' topics are done."""
    async with started(AIOKafkaProducer(bootstrap_servers=servers)) as producer:
        for record in left.records:
            await producer.send_and_wait(
                record["topic"],
                key=bytes_of(record["key"]),
                value=bytes_of(record["value"]),
                partition=record["partition"],
                headers=[(name, bytes_of(value)) for name, value in record["headers"]],
            )
    for group, done in left.groups.items():
        places = [TopicPartition(done["topic"], number) for number in range(2)]
        async with started(AIOKafkaConsumer(bootstrap_servers=servers, group_id=group)) as consumer:
            consumer.assign(places)
            await consumer.commit({place: left.counts()[tuple(place)] for place in places})


@asynccontextmanager
async def started(client: Any) -> AsyncIterator[Any]:
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


def bytes_of(kept: str | None) -> bytes | None:
    return None if kept is None else b64decode(kept)


def test_the_journal_reads_its_labels_and_promotions(
    installation: Installation, plain: Plain
) -> None:
    journal = KafkaJournal(installation.settings, "people")
    labels = {r["key"]: r["means"] for r in installation.records if r["kind"] == "SilverLabel"}
    wanted = [means for means in labels.values() if means is not None]
    assert len(wanted) < len(labels)  # one was forgotten
    found = journal.labels()
    assert by_text(plain(found, wanted)) == by_text(wanted)
    promotions = [r["means"] for r in installation.records if r["kind"] == "Promotion"]
    assert plain(journal.history(), promotions) == promotions


def by_text(labels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(labels, key=lambda label: str(label["text"]))


async def test_a_worker_goes_on_where_0_1_0_stopped_with_the_student_that_served(
    installation: Installation,
) -> None:
    servers = installation.settings.kafka.bootstrap_servers
    async with worker(installation):
        await write(servers, SURE, partition=0)
        await write(servers, UNSURE, partition=1)
        fresh = await until_events(3, installation)
    # Nothing is tagged or asked about again: the groups' names are the same.
    sure, unsure = (f"{TEXTS}-{n}-{installation.counts()[TEXTS, n]}" for n in (0, 1))
    assert sorted((event.record_id, event.revision) for event in fresh) == [
        (sure, 1),
        (unsure, 1),
        (unsure, 2),
    ]
    in_force = [r["means"] for r in installation.records if r["kind"] == "Promotion"][-1]
    assert {event.student_version for event in fresh} == {in_force["student_version"]}
    assert {event.policy_version for event in fresh} == {in_force["policy_digest"]}


@pytest.mark.kafka
async def test_a_lane_ends_the_transaction_that_a_lane_of_0_1_0_left_open(
    exactly_once: Installation,
) -> None:
    servers = exactly_once.settings.kafka.bootstrap_servers
    its_id = f"keepsake-people-{TEXTS}-0"
    async with started(
        AIOKafkaProducer(bootstrap_servers=servers, transactional_id=its_id)
    ) as killed:
        await killed.begin_transaction()
        await killed.send_and_wait(EVENTS, b"unfinished", partition=0)
        async with worker(exactly_once):
            await write(servers, SURE, partition=0)
            await until_events(1, exactly_once)  # which the open transaction would hide
        with pytest.raises(ProducerFenced):
            await killed.commit_transaction()


@asynccontextmanager
async def worker(installation: Installation) -> AsyncIterator[None]:
    process = installation.command("run", "tag", "teach", SILVERSTREAM_WEB__PORT=str(free_port()))
    try:
        yield
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, DEADLINE_S)


async def until_events(n: int, installation: Installation) -> list[EntityEvent]:
    deadline = time.monotonic() + DEADLINE_S
    while len(found := await fresh_events(installation)) < n:
        assert time.monotonic() < deadline, installation.log
        await asyncio.sleep(0.1)
    return found


async def fresh_events(installation: Installation) -> list[EntityEvent]:
    """Give the events that came after those that 0.1.0 left."""
    old = installation.counts()
    return [
        Codec().decode(EntityEvent, record.value or b"")
        async for record in read_to_end(installation.settings.kafka, EVENTS)
        if record.offset >= old[EVENTS, record.partition]
    ]


async def write(servers: str, text: bytes, *, partition: int) -> None:
    async with started(AIOKafkaProducer(bootstrap_servers=servers)) as producer:
        await producer.send_and_wait(TEXTS, text, partition=partition)
