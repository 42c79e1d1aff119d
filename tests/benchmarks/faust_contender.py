"""Faust with the stock pipeline, as a process with topics of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.kafka.local.embedded import free_port
from tests.benchmarks.worker import PARTITIONS


@dataclass(frozen=True, slots=True)
class FaustPipeline:
    """One run; `turn` makes its topics and its group its own."""

    bootstrap: str
    folder: Path
    model: Path
    turn: int

    @property
    def group(self) -> str:
        return f"bench-faust-{self.turn}"

    @property
    def topic_in(self) -> str:
        return f"{self.group}-in"

    @property
    def topic_out(self) -> str:
        return f"{self.group}-out"

    def create_topics(self) -> None:
        asyncio.run(self._create())

    async def _create(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            await admin.create_topics(
                [NewTopic(name, PARTITIONS, 1) for name in (self.topic_in, self.topic_out)]
            )
        finally:
            await admin.close()

    @contextmanager
    def running(self) -> Iterator[int]:
        command = [sys.executable, "-m", "tests.benchmarks.faust_pipeline", self.bootstrap]
        command += [str(self.model), str(free_port()), self.group]
        # Faust writes its table and offset data where it is started.
        with (self.folder / f"{self.group}.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ))
            try:
                yield process.pid
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=60)
