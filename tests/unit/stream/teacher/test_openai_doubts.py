"""A refusal that may be about us or about a text: a greeting tells, at a bounded price."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from schemas.errors import InvalidAnswerError, TeacherPermanentError
from schemas.settings import TeacherSettings
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.prompt import render_answer
from stream.teacher.prompt_parts import extract_text
from stream.testing.endpoints import TASK, MakeTeacher, answering, completion
from stream.testing.fake_time import FakeTimeLoop

SIX_HOURS_MS = 6 * 3600 * 1000
N_POISON = 7


def text_in(body: dict[str, Any]) -> str:
    return extract_text(body["messages"]) or ""


@pytest.mark.parametrize("expires_at_ms", [None, 2**50], ids=["bootstrap", "teach"])
@pytest.mark.parametrize(("status", "n_greetings"), [(400, 2), (422, 2), (403, N_POISON)])
async def test_poison_texts_in_a_row_are_given_up_one_by_one(
    make_teacher: MakeTeacher, status: int, n_greetings: int, expires_at_ms: int | None
) -> None:
    asked: list[str] = []

    async def respond(request: web.Request) -> web.Response:
        text = text_in(await request.json())
        asked.append(text)
        if text.startswith("poison"):
            return web.json_response({"error": {"message": "bad request"}}, status=status)
        return completion(render_answer(text, ()))

    async with answering(respond) as url:
        teacher = make_teacher(url)
        for n in range(N_POISON):
            with pytest.raises(InvalidAnswerError, match="bad request"):
                await teacher.label(f"poison {n}", expires_at_ms=expires_at_ms)
            assert teacher.refusal is None
        await teacher.label("sound", expires_at_ms=expires_at_ms)
    assert len(asked) == N_POISON + n_greetings + 1


async def test_a_greeting_that_is_refused_for_its_text_says_that_it_is_us(
    make_teacher: MakeTeacher,
) -> None:
    """No text fits a context that our examples fill, and there is nothing wrong with any."""

    async def respond(request: web.Request) -> web.Response:
        words = "context length" if text_in(await request.json()) == "Hello." else "Forbidden"
        return web.json_response({"error": {"message": words}}, status=403)

    async with answering(respond) as url:
        with pytest.raises(TeacherPermanentError, match="Forbidden"):
            await make_teacher(url).label("sound")


@pytest.mark.parametrize("status", [400, 403])
def test_an_endpoint_that_was_mended_answers_all_but_the_poison(
    tmp_path: Path, status: int
) -> None:
    """Nothing but poison is left at last: no other text will show that we are answered."""
    loop = FakeTimeLoop()
    asked: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        text = text_in(json.loads(request.content))
        asked.append(text)
        if loop.time() < 3600.0 or text.startswith("poison"):
            return httpx.Response(status, json={"error": {"message": "no"}})
        message = {"role": "assistant", "content": render_answer(text, ())}
        return httpx.Response(200, json={"choices": [{"index": 0, "message": message}]})

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        outcomes = runner.run(held_back(loop, respond, tmp_path / "teacher.sqlite"))
    assert {type(x) for x in outcomes} == {InvalidAnswerError}
    assert 3600 <= loop.time() < 3600 + 600
    assert len(asked) < 60


async def held_back(
    loop: FakeTimeLoop, respond: Callable[[httpx.Request], httpx.Response], state: Path
) -> list[Any]:
    """Ask about poison texts from before the endpoint is mended: the first two say nothing."""
    http = httpx.AsyncClient(transport=httpx.MockTransport(respond))
    settings = TeacherSettings(base_url="http://teacher/v1")
    store = TeacherStore(state)
    teacher = OpenAITeacher(
        TASK, settings, store=store, purpose="stream", http_client=http, clock=loop.clock, seed=1
    )
    calls = (teacher.label(f"poison {n}", expires_at_ms=SIX_HOURS_MS) for n in range(N_POISON))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    await teacher.aclose()
    return outcomes
