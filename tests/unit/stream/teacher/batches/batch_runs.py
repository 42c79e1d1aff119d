"""Runs of the lane of batches against the simulator over real HTTP, killed where one is wanted."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from schemas.errors import (
    SilverstreamError,
)
from schemas.settings import TeacherSettings
from schemas.types import Entity
from stream.lab.teacher_sim.faults import SimulatorSettings
from stream.lab.teacher_sim.simulator import serving, teacher_sim_app
from stream.teacher.batches.lane import BatchLane
from stream.teacher.capped_store import CappedStore
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.protocol import Answer
from stream.teacher.retries import Clock
from stream.teacher.spending import Purpose
from stream.testing.endpoints import TASK
from stream.testing.fake_time import FakeTime

TEXTS: Final = [f"Met Ada, number {number}" for number in range(8)]
ANSWERS: Final = {text: (Entity(4, 7, "PER", "Ada"),) for text in TEXTS}
Found = dict[str, Answer | SilverstreamError]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class KilledError(BaseException):
    """Stands for kill -9: nothing catches it."""


@dataclass
class Endpoint:
    """The simulator, its uploads, and what is done to a request (method and path) to it."""

    url: str
    uploads: list[bytes] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    spoil: dict[str, Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]] = field(
        default_factory=dict
    )


@asynccontextmanager
async def simulated(time: FakeTime, **options: Any) -> AsyncIterator[Endpoint]:
    app = teacher_sim_app(ANSWERS, SimulatorSettings(**options), clock=time.clock)
    found = Endpoint("")

    @web.middleware
    async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "DELETE":
            found.deleted.append(request.path)
        spoil = found.spoil.get(f"{request.method} {request.path}")
        if (request.method, request.path) != ("POST", "/v1/files"):
            return await (spoil(request, handler) if spoil else handler(request))
        file = (await request.post())["file"]
        assert isinstance(file, web.FileField)
        with file.file:
            found.uploads.append(file.file.read())
            file.file.seek(0)
            return await (spoil(request, handler) if spoil else handler(request))

    app.middlewares.append(watch)
    async with serving(app) as url:
        found.url = url
        yield found


async def lost(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Do what is asked, and let nobody know."""
    response = await handler(request)
    assert request.transport
    request.transport.close()
    return response


@dataclass
class Runs:
    """Runs the lane in one state folder; `killed_after_s` kills at the first wait after that."""

    folder: Path
    time: FakeTime
    url: str = ""
    max_usd: float | None = None
    purpose: Purpose = "bootstrap"
    found: Found = field(default_factory=dict)
    """What the last run was given, also where it raised."""

    async def ask(
        self,
        texts: Sequence[str] = TEXTS,
        *,
        killed_after_s: float | None = None,
        batch: dict[str, Any] | None = None,
        in_time: Callable[[str], bool] = lambda _text: True,
        **options: Any,
    ) -> Found:
        settings = TeacherSettings.model_validate(
            {
                "base_url": self.url,
                "state": self.folder / "teacher.sqlite",
                "max_attempts": 2,
                "request_ttl_s": 1e6,
                "batch": {"purposes": [self.purpose], **(batch or {})},
                **options,
            }
        )
        clock, begun_s = self.time.clock, self.time.now_s

        async def sleep(seconds: float) -> None:
            if killed_after_s is not None and self.time.now_s >= begun_s + killed_after_s:
                raise KilledError
            await self.time.sleep(seconds)

        teacher = OpenAITeacher(
            TASK,
            settings,
            store=self._store(settings.state),
            purpose=self.purpose,
            clock=Clock(clock.now, clock.monotonic, sleep),
        )
        found = self.found = Found()
        lane = BatchLane(teacher, settings, task=TASK.name, purpose=self.purpose)
        try:
            async with aclosing(lane.lots(texts, in_time=in_time)) as lots:
                async for lot in lots:
                    for text in lot.texts:
                        assert text not in found
                        try:
                            found[text] = await lot.label(text)
                        except SilverstreamError as error:
                            found[text] = error
        finally:
            await teacher.aclose()
        return found

    def _store(self, path: Path) -> TeacherStore:
        if self.max_usd is None:
            return TeacherStore(path)
        return CappedStore(path, run_ledger=self.folder / "run.sqlite", most_usd=self.max_usd)

    @property
    def state(self) -> Path:
        return self.folder / "teacher.sqlite"


def answered(found: Found) -> list[str]:
    return sorted(text for text, one in found.items() if isinstance(one, Answer))


def reservations(runs: Runs, file: str = "teacher.sqlite") -> int:
    with closing(sqlite3.connect(runs.folder / file)) as database:
        return int(database.execute("SELECT count(*) FROM reservations").fetchone()[0])


def forget_one(runs: Runs) -> None:
    """Forget the text of one line that waits."""
    with closing(sqlite3.connect(runs.state)) as database:
        (question,) = database.execute("SELECT question FROM batch_lines LIMIT 1").fetchone()
    with closing(TeacherStore(runs.state)) as store:
        assert len(store.batches_about([question])) == 1
        store.forget([question], [], dry_run=False)
        assert store.batches_about([question]) == []
