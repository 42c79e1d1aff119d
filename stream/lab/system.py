"""The system as a user starts it: broker, topics, teacher, jobs and workers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from schemas.errors import HaltError
from schemas.settings import Settings
from schemas.wire.topics import TopicNames
from stream.kafka.clients import admin, started
from stream.kafka.local.embedded import EmbeddedBroker, free_port
from stream.kafka.topics import create_topics, specs
from stream.lab.children import Child, Children
from stream.lab.workspace import Workspace

_START_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Worker:
    """A running `silverstream run ROLES` and its web address."""

    child: Child
    url: str

    async def status(self) -> dict[str, Any]:
        """Ask `/ready`; empty while it does not answer."""
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
                answer = await http.get(f"{self.url}/ready")
                said = answer.json()
        except (httpx.HTTPError, ValueError):
            return {}
        return {**said, "ready": answer.status_code == httpx.codes.OK}


@dataclass(slots=True)
class System:
    """Starts and stops the parts; the settings file is the workspace's."""

    space: Workspace
    settings: Settings
    children: Children

    def start_worker(self, *roles: str) -> Worker:
        """Start `silverstream run ROLES` with a web port of its own."""
        port = free_port()
        name = "-".join(("run", *roles))
        child = self.children.start(
            name,
            ["run", *roles, "--config", str(self.space.settings)],
            env={"SILVERSTREAM_WEB__PORT": str(port)},
        )
        return Worker(child, f"http://127.0.0.1:{port}")

    async def run(self, name: str, *arguments: str) -> None:
        """Run a job of ours, such as `distill`, to its end."""
        await self.children.finish(name, [*arguments, "--config", str(self.space.settings)])

    async def until_ready(self, worker: Worker, *, student: str | None = None) -> None:
        """Wait until the worker is ready, and serves this student if one is named."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not is_ready(await worker.status(), student=student):
            self.children.check()
            if time.monotonic() > deadline:
                raise HaltError(
                    f"{worker.child.name} was not ready within {_START_TIMEOUT_S:.0f} s: "
                    f"see {worker.child.log}"
                )
            await asyncio.sleep(0.2)


def is_ready(status: dict[str, Any], *, student: str | None) -> bool:
    """Whether a worker's `/ready` says that it works, and with this student."""
    return bool(status.get("ready")) and student in (None, status.get("student_version"))


@contextlib.asynccontextmanager
async def broker(address: str | None) -> AsyncIterator[tuple[str, str]]:
    """Give the bootstrap servers and the delivery mode; None starts the embedded broker."""
    if address is not None:
        yield address, "exactly_once"
        return
    async with EmbeddedBroker() as embedded:
        yield embedded.bootstrap_servers, "at_least_once"


async def start_teacher(
    children: Children, arguments: Sequence[str], *, name: str = "teacher-sim"
) -> str:
    """Start `teacher-sim ARGUMENTS` on a free port; give its base URL once it listens."""
    child = children.start(name, ["teacher-sim", *arguments, "--port", "0"])
    await children.until(
        lambda: child.log.read_text(encoding="utf-8").endswith("\n"),
        timeout_s=_START_TIMEOUT_S,
        what="starting teacher-sim",
    )
    return child.log.read_text(encoding="utf-8").split()[-1]


@contextlib.asynccontextmanager
async def prepared_topics(settings: Settings) -> AsyncIterator[None]:
    """Create the run's topics, the input's too, and delete them in the end."""
    names = TopicNames.of(settings.kafka)
    wanted = specs(names, settings.topics)
    await create_topics(settings.kafka, wanted)
    try:
        yield
    finally:
        await _delete(settings, [one.name for one in wanted])


async def _delete(settings: Settings, topics: Sequence[str]) -> None:
    async with started(lambda: admin(settings.kafka), settings=settings.kafka) as client:
        await client.delete_topics(list(topics))
