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
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import ProducerFenced

from distill.labels.journal import KafkaJournal
from schemas.files.task_file import load_task
from schemas.settings import Settings, load_settings
from schemas.types import EntityEvent
from schemas.wire.codec import Codec
from stream.kafka.local.embedded import EmbeddedBroker, free_port
from stream.kafka.topic_logs import read_to_end
from stream.testing.apache_kafka import ApacheKafka

Read = Callable[[str], Any]
Plain = Callable[[Any, Any], Any]

DEADLINE_S = 90.0
TEXTS, EVENTS, DEAD_LETTERS = "keepsake-text", "keepsake.entities", "keepsake.dead-letters"
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

    def of(self, topic: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["topic"] == topic]

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
                headers=headers_of(record),
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


def headers_of(record: dict[str, Any]) -> list[tuple[str, bytes | None]]:
    return [(name, bytes_of(value)) for name, value in record["headers"]]


def bytes_of(kept: str | None) -> bytes | None:
    return None if kept is None else b64decode(kept)


def test_the_journal_reads_its_labels_and_promotions(
    installation: Installation, plain: Plain
) -> None:
    journal = KafkaJournal(installation.settings, load_task(installation.folder / "task.yaml"))
    labels = {r["key"]: r["means"] for r in installation.records if r["kind"] == "SilverLabel"}
    wanted = [means for means in labels.values() if means is not None]
    assert len(wanted) < len(labels)  # one was forgotten
    found = tuple(journal.labels())
    assert by_text(plain(found, wanted)) == by_text(wanted)
    promotions = [r["means"] for r in installation.records if r["kind"] == "Promotion"]
    assert plain(journal.history(), promotions) == promotions


def by_text(labels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(labels, key=lambda label: str(label["text"]))


@dataclass(frozen=True)
class Fresh:
    """What a worker of today wrote."""

    events: list[EntityEvent]
    dead_letters: list[ConsumerRecord[bytes, bytes]]


@pytest.fixture(scope="module")
def fresh(installation: Installation) -> Fresh:
    """Two texts and the dead letter of 0.1.0, replayed, come to a worker."""
    return asyncio.run(carry_on(installation))


async def carry_on(installation: Installation) -> Fresh:
    servers = installation.settings.kafka.bootstrap_servers
    (letter,) = installation.of(DEAD_LETTERS)
    async with worker(installation):
        await write(servers, SURE, partition=0)
        await write(servers, UNSURE, partition=1)
        await write(servers, bytes_of(letter["value"]), partition=0, headers=headers_of(letter))
        events = await until_fresh(3, installation)
        dead_letters = await until_fresh(1, installation, DEAD_LETTERS)
    decoded = [Codec().decode(EntityEvent, event.value or b"") for event in events]
    return Fresh(decoded, dead_letters)


def test_the_groups_go_on_where_0_1_0_stopped(installation: Installation, fresh: Fresh) -> None:
    sure, unsure = (f"{TEXTS}-{n}-{installation.counts()[TEXTS, n]}" for n in (0, 1))
    assert sorted((event.record_id, event.revision) for event in fresh.events) == [
        (sure, 1),
        (unsure, 1),
        (unsure, 2),
    ]


def test_the_student_that_was_in_force_serves(installation: Installation, fresh: Fresh) -> None:
    in_force = installation.of("keepsake.promotions")[-1]["means"]
    assert {event.student_version for event in fresh.events} == {in_force["student_version"]}
    assert {event.policy_version for event in fresh.events} == {in_force["policy_digest"]}


def test_a_dead_letter_that_is_replayed_and_fails_again_keeps_its_origin(
    installation: Installation, fresh: Fresh
) -> None:
    (before,), (again,) = installation.of(DEAD_LETTERS), fresh.dead_letters
    then, now = dict(headers_of(before)), dict(again.headers)
    assert again.value == bytes_of(before["value"])
    assert list(now) == list(then)
    for name in ("origin-record-id", "__connect.errors.stage", "__connect.errors.connector.name"):
        assert now[name] == then[name]


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
            await until_fresh(1, exactly_once)  # which the open transaction would hide
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


async def until_fresh(
    n: int, installation: Installation, topic: str = EVENTS
) -> list[ConsumerRecord[bytes, bytes]]:
    """Wait until a topic holds `n` records besides those that 0.1.0 left; give these."""
    old, kafka = installation.counts(), installation.settings.kafka
    deadline = time.monotonic() + DEADLINE_S
    found: list[ConsumerRecord[bytes, bytes]] = []
    while len(found) < n:
        assert time.monotonic() < deadline, installation.log
        records = [record async for record in read_to_end(kafka, topic)]
        found = [x for x in records if x.offset >= old[topic, x.partition]]
    return found


async def write(
    servers: str,
    text: bytes | None,
    *,
    partition: int,
    headers: Sequence[tuple[str, bytes | None]] = (),
) -> None:
    async with started(AIOKafkaProducer(bootstrap_servers=servers)) as producer:
        await producer.send_and_wait(TEXTS, text, partition=partition, headers=list(headers))
