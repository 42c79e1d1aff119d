"""A whole system for tests: real worker processes, a real broker, a teacher over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import pytest
import yaml
from aiokafka import ConsumerRecord

from schemas.files.manifest import MANIFEST_NAME, MODEL_NAME, manifest_digest
from schemas.files.task import LabelSpec, Task
from schemas.files.task_file import task_yaml
from schemas.settings import Settings, load_settings
from schemas.types import EntityEvent, Promotion, RoutingPolicy, policy_digest
from schemas.wire.codec import Codec
from schemas.wire.topics import TopicNames
from stream.kafka import clients
from stream.kafka.local.embedded import free_port
from stream.kafka.promotions import append_promotion
from stream.kafka.topic_logs import read_to_end
from stream.kafka.topics import create_topics, specs
from stream.testing.bundles import write_bundle

SILVERSTREAM = (sys.executable, "-m", "stream.cli.main")
DEADLINE_S = 90.0
POLL_S = 0.1
TASK = Task("test", "en", (LabelSpec("PER"), LabelSpec("LOC")))
WORDS = {"ada": "B-PER", "grace": "B-PER", "oslo": "B-LOC"}
POLICY = RoutingPolicy(threshold=0.9, audit_share=0.0, audit_seed=0)


def _spawn(
    command: Sequence[str], output: BinaryIO, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=output, stderr=output, env=environment)


async def wait_until(
    look: Callable[[], Any],
    what: str,
    *,
    deadline_s: float = DEADLINE_S,
    logs: Callable[[], str] = str,
) -> Any:
    """Poll until `look` (which may be asynchronous) gives something true; return it."""
    end = time.monotonic() + deadline_s
    while True:
        found = look()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        if time.monotonic() > end:
            pytest.fail(f"not within {deadline_s:g} s: {what}\n{logs()}")
        await asyncio.sleep(POLL_S)


@dataclass
class Process:
    """A `silverstream` process; its output goes to `log`."""

    arguments: Sequence[str]
    log: Path
    process: subprocess.Popen[bytes]
    url: str

    @property
    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def events(self, name: str) -> list[dict[str, Any]]:
        """Give the log's events of this name."""
        lines = (line for line in self.output.splitlines() if line.startswith("{"))
        return [event for event in map(json.loads, lines) if event.get("event") == name]

    async def get(self, path: str) -> httpx.Response | None:
        """Ask the worker's web server; None while it does not listen."""
        assert self.process.poll() is None, self.output
        async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
            try:
                return await http.get(self.url + path)
            except httpx.TransportError:
                return None

    async def status(self, path: str) -> int | None:
        answer = await self.get(path)
        return answer.status_code if answer else None

    async def until_ready(self, *, student: str | None = None) -> dict[str, Any]:
        """Wait until `/ready` says yes and, if one is named, this student serves."""

        async def look() -> dict[str, Any] | None:
            answer = await self.get("/ready")
            if answer is None or answer.status_code != httpx.codes.OK:
                return None
            report: dict[str, Any] = answer.json()
            return report if student in (None, report.get("student_version")) else None

        report: dict[str, Any] = await wait_until(look, "ready", logs=lambda: self.output)
        return report

    async def metric(self, name: str) -> float:
        """Sum the samples of a metric."""
        answer = await self.get("/metrics")
        lines = answer.text.splitlines() if answer else []
        found = [line for line in lines if line.partition(" ")[0].partition("{")[0] == name]
        return sum(float(line.rpartition(" ")[2]) for line in found)

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; return the exit code."""
        self.process.send_signal(number)
        return await self.ended()

    async def ended(self, *, deadline_s: float = DEADLINE_S) -> int:
        """Wait for the end; return the exit code."""
        await wait_until(
            lambda: self.process.poll() is not None,
            f"the end of {self.arguments}",
            deadline_s=deadline_s,
            logs=lambda: self.output,
        )
        return self.process.returncode


@dataclass
class System:
    """One application on a broker, with topics of its own."""

    folder: Path
    settings: Settings
    codec: Codec = field(default_factory=Codec)
    processes: list[Process] = field(default_factory=list)
    history: list[Promotion] = field(default_factory=list)

    @property
    def names(self) -> TopicNames:
        return TopicNames.of(self.settings.kafka)

    @property
    def config(self) -> Path:
        return self.folder / "settings.yaml"

    async def create_topics(self) -> None:
        await create_topics(self.settings.kafka, specs(self.names, self.settings.topics))

    def start(self, *arguments: str, env: Mapping[str, str] | None = None) -> Process:
        """Start `silverstream ARGUMENTS --config ...`."""
        port = free_port()
        log = self.folder / f"{len(self.processes)}-{arguments[0]}.log"
        command = [*SILVERSTREAM, *arguments, "--config", str(self.config)]
        environment = os.environ | {"SILVERSTREAM_WEB__PORT": str(port)} | dict(env or {})
        with log.open("wb") as output:
            process = _spawn(command, output, environment)
        started = Process(arguments, log, process, f"http://127.0.0.1:{port}")
        self.processes.append(started)
        return started

    async def promote(
        self, version: str, *, words: Mapping[str, str] = WORDS, **bundle: Any
    ) -> Promotion:
        """Write a bundle of table look-ups and promote it."""
        policy: RoutingPolicy = bundle.pop("policy", POLICY)
        spoil: bool = bundle.pop("spoil", False)
        metrics: dict[str, float] = bundle.pop("metrics", {})
        folder = Path(self.settings.student.registry) / TASK.name / version
        write_bundle(
            folder,
            labels=TASK.label_names,
            words=words,
            version=version,
            task=TASK.name,
            task_digest=TASK.digest,
            **bundle,
        )
        promotion = Promotion(
            task=TASK.name,
            task_digest=TASK.digest,
            sequence=len(self.history) + 1,
            parent=self.history[-1].student_version if self.history else "",
            action="promote",
            student_version=version,
            digest=manifest_digest((folder / MANIFEST_NAME).read_bytes()),
            location=f"{TASK.name}/{version}",
            policy=policy,
            policy_digest=policy_digest(policy),
            gold_digest="",
            reason="a test's",
            promoted_at_ms=time.time_ns() // 1_000_000,
            metrics=metrics,
        )
        if spoil:
            (folder / MODEL_NAME).write_bytes(b"not the model that the manifest names")
        await append_promotion(self.settings.kafka, self.names.promotions, self.codec, promotion)
        self.history.append(promotion)
        return promotion

    async def produce(self, values: Iterable[bytes | None], *, topic: str = "") -> None:
        """Write values to the text topic, round robin over its partitions, keyed by number."""
        partitions = self.settings.topics.partitions
        async with clients.started(
            lambda: clients.producer(self.settings.kafka), settings=self.settings.kafka
        ) as producer:
            sent = [
                await producer.send(
                    topic or self.names.text, value, key=b"%d" % n, partition=n % partitions
                )
                for n, value in enumerate(values)
            ]
            await asyncio.gather(*sent)

    async def records(self, topic: str) -> list[ConsumerRecord[bytes, bytes]]:
        """Read all committed records of a topic."""
        return [record async for record in read_to_end(self.settings.kafka, topic)]

    async def events(self) -> list[EntityEvent]:
        """Read all committed entity events."""
        found = await self.records(self.names.entities)
        return [self.codec.decode(EntityEvent, record.value or b"") for record in found]

    async def until_events(self, n: int, *, revision: int = 1) -> list[EntityEvent]:
        """Wait for at least `n` entity events of a revision; return those."""

        async def look() -> list[EntityEvent] | None:
            found = [event for event in await self.events() if event.revision == revision]
            return found if len(found) >= n else None

        found: list[EntityEvent] = await wait_until(
            look,
            f"{n} events of revision {revision}",
            logs=lambda: "\n".join(process.output for process in self.processes),
        )
        return found

    def end(self) -> None:
        """Kill what still runs."""
        for process in self.processes:
            if process.process.poll() is None:
                process.process.kill()
                process.process.wait()


MakeSystem = Callable[..., System]


@pytest.fixture
def make_system(tmp_path: Path) -> Iterator[MakeSystem]:
    """Make systems on a broker; sections of settings may be changed."""
    systems: list[System] = []

    def make(bootstrap_servers: str, **sections: Mapping[str, Any]) -> System:
        name = f"t-{uuid.uuid4().hex[:8]}"
        folder = tmp_path / name
        folder.mkdir()
        (folder / "task.yaml").write_text(task_yaml(TASK), encoding="utf-8")
        values: dict[str, Any] = {
            "app": name,
            "task": str(folder / "task.yaml"),
            "kafka": {
                "bootstrap_servers": bootstrap_servers,
                "delivery": "at_least_once",
                # Tansu lets a group wait for half of this before it begins, and never
                # learns that its first member left: aiokafka says so from generation 1 on.
                "session_timeout_ms": 4000,
                "topic_prefix": f"{name}.",
                "text_topic": f"{name}.text",
            },
            "topics": {"partitions": 2},
            "student": {"registry": str(folder / "models"), "runs": 1},
            "routing": {"budget_share": 0.0},
            "teacher": {
                "state": str(folder / "teacher.sqlite"),
                "base_url": "http://127.0.0.1:1/v1",
            },
            "distill": {"snapshots": str(folder / "snapshots"), "audit_share": 0.0},
        }
        if not sections.get("distill", {}).get("gold"):
            # The lanes spend the whole budget; judging without gold has tests of its own.
            values["distill"]["judging"] = {"share": 0.0}
        for section, changes in sections.items():
            values.setdefault(section, {}).update(changes)
        (folder / "settings.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        systems.append(System(folder, load_settings(folder / "settings.yaml")))
        return systems[-1]

    yield make
    for system in systems:
        system.end()


@pytest.fixture(name="until")
def _until() -> Callable[..., Any]:
    """Poll a condition with a generous deadline."""
    return wait_until


@pytest.fixture
def teacher_sim(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Start `silverstream teacher-sim` over a corpus: `url = await teacher_sim(path)`."""
    running: list[subprocess.Popen[bytes]] = []

    async def start(corpus: Path, *options: str) -> str:
        out = tmp_path / f"teacher-sim-{len(running)}.log"
        command = [*SILVERSTREAM, "teacher-sim", str(corpus)]
        with out.open("wb") as output:
            process = _spawn([*command, "--port", "0", *options], output)
        running.append(process)
        await wait_until(lambda: out.read_text().startswith("http"), "the teacher's URL")
        return out.read_text().splitlines()[0]

    yield start
    for process in running:
        process.kill()
        process.wait()
