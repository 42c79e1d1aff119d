"""A user's own topics, step by step as the README has it: only commands, files and Kafka."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from distill.testing.tiny_base import write_tiny_base
from schemas.files.corpus import write_jsonl
from schemas.types import EntityEvent
from schemas.wire.codec import Codec
from stream.kafka.local.embedded import EmbeddedBroker, free_port
from stream.lab.demo.feed import early_style, texts

SILVERSTREAM = (sys.executable, "-m", "stream.cli.main")
DEADLINE_S = 180.0
N_TEXTS = 40

TASK = """
name: orders
language: en
guidelines: Leave out order numbers and days.
labels:
  - {name: PERSON, description: A person's name., examples: [Ada Lovelace]}
  - {name: COMPANY, description: A firm.}
  - {name: CITY, description: A town., examples: [Oslo]}
  - {name: PRODUCT, description: A thing that is sold.}
"""


class User:
    """A folder with a user's files, a base of seconds among them, and a shell in it."""

    def __init__(self, folder: Path, broker: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.background: list[subprocess.Popen[str]] = []
        (folder / "task.yaml").write_text(TASK, encoding="utf-8")
        style = early_style("feed", seed=8)
        self.feed = list(texts(style, N_TEXTS, prefix="feed", seed=8))
        write_jsonl(folder / "answers.jsonl", self.feed)
        write_jsonl(folder / "labelled.jsonl", list(texts(style, 120, prefix="first", seed=8)))
        gold = early_style("gold", seed=8)
        write_jsonl(folder / "gold.jsonl", list(texts(gold, 40, prefix="gold", seed=8)))
        known = {word for one in texts(style, 300, prefix="w", seed=8) for word in one.text.split()}
        self.base = write_tiny_base(folder / "base", words=sorted(known))
        self.broker = broker

    def configure(self, teacher_url: str) -> None:
        settings = {
            "kafka": {
                "bootstrap_servers": self.broker,
                "text_topic": "articles",
                "topic_prefix": "articles.",
                "delivery": "at_least_once",
            },
            "topics": {"partitions": 2},
            "input": {"format": "json", "text_field": "body"},
            "routing": {"budget_share": 0.5},
            "teacher": {"base_url": teacher_url, "api_key": "none"},
            "distill": {
                "gold": "gold.jsonl",
                "recipe": {
                    "base": str(self.base),
                    "layers": 1,
                    "max_tokens": 64,
                    "int8": "off",
                },
                "gate": {"min_records": 30},
            },
            "experiment": {
                "epochs": 1.0,
                "min_steps": 400,
                "learning_rate": 3e-3,
                "word_dropout": 0.0,
                "batch_records": 8,
            },
            "web": {"port": self.port},
        }
        path = self.folder / "silverstream.yaml"
        path.write_text(yaml.safe_dump(settings), encoding="utf-8")

    def shell(self, *command: str, stdin: str = "") -> str:
        """Run a command to its end and give what it printed."""
        done = subprocess.run(
            (*SILVERSTREAM, *command),
            cwd=self.folder,
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Leave a command running."""
        with (self.folder / f"{command[0]}.log").open("w") as log:
            process = subprocess.Popen(
                (*SILVERSTREAM, *command),
                cwd=self.folder,
                env=self._environment,
                stdout=subprocess.PIPE if command[0] == "teacher-sim" else log,
                stderr=log,
                text=True,
            )
        self.background.append(process)
        return process

    @property
    def _environment(self) -> dict[str, str]:
        return os.environ | {"SILVERSTREAM_CONFIG": "silverstream.yaml", "COLUMNS": "200"}


@pytest.fixture
def user(tmp_path: Path, embedded_broker: EmbeddedBroker) -> Iterator[User]:
    user = User(tmp_path, embedded_broker.bootstrap_servers)
    yield user
    for process in user.background:
        process.kill()
        process.communicate()


async def until_ready(user: User, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
        while True:
            assert process.poll() is None, (user.folder / "run.log").read_text(encoding="utf-8")
            try:
                answer = await http.get(f"http://127.0.0.1:{user.port}/ready")
                if answer.status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline
            await asyncio.sleep(0.2)


async def produce(user: User) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=user.broker)
    await producer.start()
    try:
        for example in user.feed:
            value = json.dumps({"body": example.text}).encode()
            await producer.send_and_wait("articles", value, key=example.id.encode())
    finally:
        await producer.stop()


async def corrected(user: User) -> dict[bytes, EntityEvent]:
    """Read as a consumer does, upserting by key, until no event is provisional."""
    consumer = AIOKafkaConsumer(
        "articles.entities",
        bootstrap_servers=user.broker,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await consumer.start()
    codec, latest = Codec(), dict[bytes, EntityEvent]()
    try:
        async with asyncio.timeout(DEADLINE_S):
            while len(latest) < N_TEXTS or any(e.status != "final" for e in latest.values()):
                record = await consumer.getone()
                event = codec.decode(EntityEvent, record.value)
                old = latest.get(record.key)
                if old is None or event.revision >= old.revision:
                    latest[record.key] = event
    finally:
        await consumer.stop()
    return latest


async def test_from_labelled_texts_to_corrected_entities_by_commands_alone(user: User) -> None:
    simulator = user.start("teacher-sim", "answers.jsonl", "--port", "0")
    assert simulator.stdout is not None
    user.configure(simulator.stdout.readline().strip())

    assert "articles.entities" in user.shell("topics", "create")
    user.shell("bootstrap", "labelled.jsonl", "--labelled")
    assert "is promoted (first student)" in user.shell("distill", "--force")
    user.shell("doctor")
    (bundle,) = user.folder.glob("models/orders/*")
    assert "F1" in user.shell("evaluate", str(bundle), "gold.jsonl")
    tagged = user.shell("tag", "--json", stdin="Mary Reynolds will visit Russell Ltd on Monday.\n")
    assert "Reynolds" in tagged

    worker = user.start("run", "tag", "teach")
    await until_ready(user, worker)
    await produce(user)
    latest = await corrected(user)

    gold = {example.id.encode(): example for example in user.feed}
    for key, event in latest.items():
        text = gold[key].text
        assert all(entity.surface == text[entity.start : entity.end] for entity in event.entities)
    taught = {key: event for key, event in latest.items() if event.decided_by == "teacher"}
    assert taught
    for key, event in taught.items():
        found = [(e.start, e.end, e.label) for e in event.entities]
        assert found == [(e.start, e.end, e.label) for e in gold[key].entities]
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(DEADLINE_S) == 0
