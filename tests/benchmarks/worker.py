"""Our worker as a contender: a real `silverstream run tag` process on its own topics."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from schemas.settings import KafkaSettings
from schemas.wire.topics import TopicNames
from tests.benchmarks.measure import wait_until

PARTITIONS = 2


@dataclass(frozen=True, slots=True)
class Worker:
    """One contender: `name` makes its topics and group its own."""

    name: str
    delivery: str
    bootstrap: str
    folder: Path
    web_port: int

    @property
    def topics(self) -> TopicNames:
        prefix = f"{self.name}."
        return TopicNames.of(KafkaSettings(topic_prefix=prefix, text_topic=f"{prefix}text"))

    @property
    def settings(self) -> Path:
        return self.folder / f"{self.name}.yaml"

    def write_settings(self, *, task: Path, registry: Path) -> None:
        values = {
            "app": self.name,
            "task": str(task),
            "kafka": {
                "bootstrap_servers": self.bootstrap,
                "delivery": self.delivery,
                "topic_prefix": self.topics.prefix,
                "text_topic": self.topics.text,
            },
            "topics": {"partitions": PARTITIONS},
            "student": {"registry": str(registry)},
            "web": {"port": self.web_port},
        }
        self.settings.write_text(yaml.safe_dump(values), encoding="utf-8")

    def silverstream(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "stream.cli.main", *arguments, "--config", str(self.settings)]

    @contextmanager
    def running(self) -> Iterator[int]:
        """The process id of a worker that is ready; ended with SIGTERM."""
        log = (self.folder / f"{self.name}.log").open("ab")
        process = subprocess.Popen(
            self.silverstream("run", "tag"), stdout=log, stderr=log, env=dict(os.environ)
        )
        try:
            wait_until(lambda: self._ready(process), what=f"{self.name} to be ready")
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
            log.close()

    def metric(self, name: str) -> int:
        """Read a counter without labels from the running worker's `/metrics`."""
        lines = httpx.get(f"http://127.0.0.1:{self.web_port}/metrics").text.splitlines()
        return sum(int(float(line.split()[1])) for line in lines if line.startswith(f"{name} "))

    def _ready(self, process: subprocess.Popen[bytes]) -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"{self.name} ended with {process.returncode}: see {self.folder}")
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.web_port}/ready")
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK
