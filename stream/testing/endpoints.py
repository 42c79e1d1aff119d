"""Endpoints to try the teacher's client on: the simulator with a fault, or one made to measure."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import httpx
from aiohttp import web

from schemas.errors import SilverstreamError
from schemas.files.task import LabelSpec, Task
from schemas.types import Category, Entity
from stream.lab.teacher_sim.answers import Answers
from stream.lab.teacher_sim.faults import Fault, SimulatorSettings
from stream.lab.teacher_sim.simulator import serving, teacher_sim_app
from stream.teacher.kinds.kind import kind_of
from stream.teacher.openai_teacher import OpenAITeacher

TEXT: Final = "Met Ada in Oslo"
ENTITIES: Final = (Entity(4, 7, "PER", "Ada"), Entity(11, 15, "LOC", "Oslo"))
ANSWERS: Final = {TEXT: ENTITIES, "Nobody here": ()}
TASK: Final = Task("people", "en", (LabelSpec("PER", "People."), LabelSpec("LOC", "Places.")))

MOODS: Final = {TEXT: (Category("glad"),), "Oh no": (Category("very angry"),)}
MOOD_TASK: Final = Task(
    "mood",
    "en",
    (LabelSpec("glad", "Joy."), LabelSpec("very angry", "Rage.")),
    kind="categories",
    choose="one",
)

Respond = Callable[[web.Request], Awaitable[web.Response]]
MakeTeacher = Callable[..., OpenAITeacher]
"""Takes the base URL, and settings of the teacher that differ from the defaults."""

IMPATIENT: Final = {"connect_timeout_s": 0.1, "read_timeout_s": 0.1}
"""For servers that never answer in time; the others get the time that a busy machine needs."""


@asynccontextmanager
async def faulty(
    fault: Fault | None = None, *, task: Task = TASK, **options: Any
) -> AsyncIterator[str]:
    """Serve the simulator, every request to which meets the fault; its base URL.

    It answers `MOOD_TASK` too, if `task` is that.
    """
    settings = SimulatorSettings(faults={fault: 1.0} if fault else {}, **options)
    answers: Answers = MOODS if task.kind == "categories" else ANSWERS
    app = teacher_sim_app(answers, settings, kind=kind_of(task.kind, task.choose))
    async with serving(app) as url:
        yield url


@asynccontextmanager
async def answering(respond: Respond) -> AsyncIterator[str]:
    """Serve whatever `respond` answers; its base URL."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", respond)
    async with serving(app) as url:
        yield url


def completion(content: str, **changes: Any) -> web.Response:
    """Answer as a model that said `content` would."""
    message = {"role": "assistant", "content": content}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return web.json_response({"choices": choices, "usage": usage, "model": "m", **changes})


def always(body: Any, *, status: int = 200, asked: list[int] | None = None) -> Respond:
    """Answer every request with this body; `asked` gets an entry for each."""

    async def respond(_request: web.Request) -> web.Response:
        if asked is not None:
            asked.append(status)
        return web.json_response(body, status=status)

    return respond


async def requests_of(url: str) -> dict[str, int]:
    """Ask the simulator how often it was asked."""
    async with httpx.AsyncClient(base_url=url.removesuffix("/v1")) as client:
        counts: dict[str, int] = (await client.get("/stats")).json()
    return counts


async def fail(teacher: OpenAITeacher, error: type[SilverstreamError]) -> str:
    """Have the teacher fail with this error, and return its message."""
    try:
        answer = await teacher.label(TEXT)
    except error as failure:
        return str(failure)
    raise AssertionError(f"it answered: {answer}")


@contextmanager
def served_apart(app: web.Application) -> Iterator[str]:
    """Serve from a thread, for callers that have no event loop or run their own; its base URL."""
    up, found = threading.Event(), list[str]()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with serving(app) as url:
            found.append(url)
            up.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        up.wait()
        yield found[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
