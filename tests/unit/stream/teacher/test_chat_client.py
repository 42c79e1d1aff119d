"""Servers that refuse us, or know less than we ask for, over real HTTP."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from schemas.errors import (
    ExpiredError,
    InvalidAnswerError,
    RedactionError,
    RefusedError,
    TeacherPermanentError,
    TeacherUnavailableError,
)
from schemas.settings import TeacherSettings
from stream.teacher.chat_client import ChatClient
from stream.teacher.completions import MAX_BODY_BYTES
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.prompt import render_answer
from stream.teacher.prompt_parts import extract_text
from stream.teacher.retries import Clock
from stream.testing.endpoints import ENTITIES, TASK, TEXT, MakeTeacher, answering, completion, fail
from stream.testing.fake_time import FakeTimeLoop

Respond = Callable[[web.Request], Awaitable[web.Response]]


def refused(status: int, message: str, **error: Any) -> web.Response:
    return web.json_response({"error": {"message": message, **error}}, status=status)


class Server:
    """Answers, but first refuses what `why` finds in a request; `asked` are the requests."""

    def __init__(self, why: Callable[[dict[str, Any]], web.Response | None]) -> None:
        self.why = why
        self.asked: list[dict[str, Any]] = []

    async def respond(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body)
        entities = ENTITIES if extract_text(body["messages"]) == TEXT else ()
        text = extract_text(body["messages"]) or ""
        return self.why(body) or completion(render_answer(text, entities))


def reasoning_model(body: dict[str, Any]) -> web.Response | None:
    if "max_tokens" in body:
        return refused(400, "'max_tokens' is not supported with this model", param="max_tokens")
    if "temperature" in body:
        return refused(400, "'temperature' does not support 0", param="temperature")
    return None


def knows_no_format(body: dict[str, Any]) -> web.Response | None:
    return refused(422, "unknown field response_format") if "response_format" in body else None


@pytest.mark.parametrize(
    ("why", "steps"), [(reasoning_model, 2), (knows_no_format, 2)], ids=["reasoning", "plain"]
)
async def test_what_a_server_does_not_know_is_found_out_once_for_all_and_costs_nothing(
    make_teacher: MakeTeacher,
    ledger: TeacherStore,
    why: Callable[[dict[str, Any]], web.Response | None],
    steps: int,
) -> None:
    server = Server(why)
    with capture_logs() as logs:
        async with answering(server.respond) as url:
            teacher = make_teacher(url, max_attempts=1)
            await asyncio.gather(*(teacher.label(f"text {n}") for n in range(12)))
            assert (await teacher.label(TEXT)).entities == ENTITIES
    assert len(server.asked) == 13 + steps
    assert [x["event"] for x in logs].count("teacher_stepped_down") == steps
    assert ledger.totals().calls == 13
    assert len(teacher.remarks) == steps - (why is knows_no_format)


def bills_its_errors(body: dict[str, Any]) -> web.Response | None:
    if "response_format" not in body:
        return None
    error = {"code": 400, "message": "response_format is not supported"}
    usage = {"prompt_tokens": 7, "completion_tokens": 1}
    return web.json_response({"error": error, "usage": usage})


async def test_a_step_down_that_was_billed_is_booked_as_a_call_of_its_own(
    make_teacher: MakeTeacher, ledger: TeacherStore
) -> None:
    server = Server(bills_its_errors)
    async with answering(server.respond) as url:
        await make_teacher(url).label(TEXT)
    assert len(server.asked) == 3
    assert ledger.totals().calls == 3
    assert ledger.totals().tokens_in == 7 + 7 + 10


async def test_a_reasoning_model_has_its_thoughts_in_the_limit_and_the_reservation(
    make_teacher: MakeTeacher, ledger: TeacherStore
) -> None:
    server = Server(reasoning_model)
    async with answering(server.respond) as url:
        teacher = make_teacher(url, max_output_tokens=100, reasoning_tokens=4000)
        await teacher.label(TEXT)
        assert server.asked[-1]["max_completion_tokens"] == 4100
        needed = {"budget_usd_per_day": 0.005, "max_output_tokens": 100}
        assert (await make_teacher(url, **needed).label("new")).entities == ()
        message = await budget_error(make_teacher(url, **needed, reasoning_tokens=4000))
    assert "USD" in message


async def budget_error(teacher: Any) -> str:
    with pytest.raises(Exception, match="USD") as caught:
        await teacher.label("newer")
    return str(caught.value)


REFUSALS = [
    (400, "Unsupported parameter: 'messages'", {"code": "unsupported_parameter"}),
    (400, "API key not valid. Please pass a valid API key.", {}),
    (401, "Incorrect API key provided", {}),
    (402, "Payment required", {}),
    (403, "Forbidden country", {}),
    (404, "The model does not exist", {"code": "model_not_found"}),
    (429, "You exceeded your quota", {"code": "insufficient_quota"}),
    (400, "max_tokens must be at most 512", {"param": "max_tokens"}),
]


@pytest.mark.parametrize(("status", "words", "error"), REFUSALS)
async def test_who_has_no_expiry_is_told_at_once_in_the_servers_words(
    make_teacher: MakeTeacher,
    ledger: TeacherStore,
    status: int,
    words: str,
    error: dict[str, str],
) -> None:
    server = Server(lambda _: refused(status, f"{words} sk-hunter2 for {TEXT}", **error))
    async with answering(server.respond) as url:
        teacher = make_teacher(url, api_key="sk-hunter2", limit_parameter="max_tokens")
        message = await fail(teacher, TeacherPermanentError)
        assert words in message
        assert "hunter2" not in message
        assert "Ada" not in message
        assert teacher.refusal == message
    # Where it might be the text's fault after all, a greeting is asked too.
    assert len(server.asked) == (1 if status in {401, 402, 429} else 2)
    assert ledger.totals().calls == 0


def test_a_backlog_waits_for_its_expiry_with_one_call_at_a_time(
    make_ledger: Callable[[], TeacherStore],
) -> None:
    loop = FakeTimeLoop()
    with capture_logs() as logs, asyncio.Runner(loop_factory=lambda: loop) as runner:
        outcomes, n_asked = runner.run(backlog(loop, make_ledger(), mended_at_s=1e9))
    assert {type(x) for x in outcomes} == {ExpiredError}
    assert n_asked < 100
    assert [x["event"] for x in logs].count("teacher_refuses_us") == 1


def test_a_backlog_is_answered_once_a_person_has_mended_it(
    make_ledger: Callable[[], TeacherStore],
) -> None:
    loop = FakeTimeLoop()
    with capture_logs() as logs, asyncio.Runner(loop_factory=lambda: loop) as runner:
        outcomes, _ = runner.run(backlog(loop, make_ledger(), mended_at_s=7200.0))
    assert not [x for x in outcomes if isinstance(x, BaseException)]
    assert 7200 <= loop.time() < 7200 + 600
    assert [x["event"] for x in logs] == ["teacher_refuses_us", "teacher_answers_again"]


@pytest.mark.parametrize("status", [500, 502])
def test_a_backlog_waits_out_an_endpoint_that_is_down_and_loses_nothing(
    make_ledger: Callable[[], TeacherStore], status: int
) -> None:
    loop = FakeTimeLoop()
    with capture_logs() as logs, asyncio.Runner(loop_factory=lambda: loop) as runner:
        outcomes, n_asked = runner.run(
            backlog(loop, make_ledger(), mended_at_s=7200.0, status=status)
        )
    assert not [x for x in outcomes if isinstance(x, BaseException)]
    assert 7200 <= loop.time() < 7200 + 120
    assert n_asked < 400
    assert [x["event"] for x in logs] == ["teacher_circuit_opened", "teacher_circuit_closed"]


@pytest.mark.parametrize(
    ("status", "kind"), [(403, InvalidAnswerError), (402, ExpiredError)], ids=["page", "money"]
)
def test_a_text_that_alone_is_refused_again_does_not_hold_up_the_others(
    make_ledger: Callable[[], TeacherStore], status: int, kind: type[Exception]
) -> None:
    loop = FakeTimeLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        outcomes, _ = runner.run(backlog(loop, make_ledger(), mended_at_s=0.0, blocks=status))
    assert [type(x) for x in outcomes if isinstance(x, BaseException)] == [kind]


async def test_a_400_that_says_nothing_is_the_texts_until_it_is_everybodys(
    make_teacher: MakeTeacher,
) -> None:
    server = Server(lambda _: refused(400, "bad request"))
    async with answering(server.respond) as url:
        teacher = make_teacher(url)
        await fail(teacher, InvalidAnswerError)
        assert "bad request" in await fail(teacher, InvalidAnswerError)
        assert teacher.refusal is None
        await fail(teacher, TeacherPermanentError)
        server.why = lambda _: None
    assert teacher.refusal is not None


async def test_a_text_that_is_too_long_is_its_own_fault(
    make_teacher: MakeTeacher,
) -> None:
    server = Server(lambda _: refused(400, "max_tokens: maximum context length is 8"))
    async with answering(server.respond) as url:
        teacher = make_teacher(url)
        for _ in range(6):
            await fail(teacher, InvalidAnswerError)
    assert teacher.refusal is None
    assert len(server.asked) == 6


async def test_a_text_larger_than_a_minutes_tokens_is_not_waited_for(
    make_teacher: MakeTeacher, ledger: TeacherStore
) -> None:
    server = Server(lambda _: refused(429, "Request too large: Limit 30, Requested 40"))
    async with answering(server.respond) as url:
        await fail(make_teacher(url), InvalidAnswerError)
    assert len(server.asked) == 1
    assert ledger.totals().calls == 0


async def test_a_filter_in_front_of_the_model_refuses_the_text(make_teacher: MakeTeacher) -> None:
    server = Server(lambda _: refused(403, "your input was flagged"))
    async with answering(server.respond) as url:
        await fail(make_teacher(url), RefusedError)


async def test_a_gateway_that_lost_patience_may_have_been_billed(
    make_teacher: MakeTeacher, ledger: TeacherStore
) -> None:
    server = Server(lambda _: web.Response(status=504))
    async with answering(server.respond) as url:
        await fail(make_teacher(url, max_attempts=1), TeacherUnavailableError)
    assert ledger.totals().calls == 1


async def test_a_query_of_the_base_url_goes_with_each_request(make_teacher: MakeTeacher) -> None:
    seen: list[str] = []

    async def respond(request: web.Request) -> web.Response:
        seen.append(str(request.rel_url))
        return completion(render_answer(TEXT, ()))

    async with answering(respond) as url:
        teacher = make_teacher(f"{url}/chat/completions?api-version=2024-10-21&key=a%20b")
        await teacher.label(TEXT)
    assert seen[0].startswith("/v1/chat/completions?api-version=2024-10-21&key=a")


async def test_answers_without_usage_and_foreign_prices_are_remarked(
    make_teacher: MakeTeacher,
) -> None:
    async def respond(_: web.Request) -> web.Response:
        return completion(render_answer(TEXT, ()), usage=None)

    async with answering(respond) as url:
        teacher = make_teacher(url, model="other")
        assert "prices of gpt" in " ".join(teacher.remarks)
        await teacher.label(TEXT)
        assert "usage" in " ".join(teacher.remarks)
        priced = make_teacher(url, model="other", price_in_usd_per_million=0.4)
        assert priced.remarks == ()


async def backlog(
    loop: FakeTimeLoop,
    store: TeacherStore,
    *,
    mended_at_s: float,
    blocks: int = 0,
    status: int = 401,
) -> tuple[list[Any], int]:
    """Ask about 20 texts that expire in six hours; all is well from `mended_at_s`.

    Until then the endpoint answers with `status`: the key is wrong, or it is down. One of the texts
    is blocked for ever, with the status `blocks`.
    """
    asked = 0

    def respond(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        if loop.time() < mended_at_s:
            return httpx.Response(status, json={"error": {"message": f"no key, request {asked}"}})
        text = extract_text(json.loads(request.content)["messages"]) or ""
        if blocks and text == "text 3":
            return httpx.Response(blocks, text="<html>Request blocked</html>")
        message = {"role": "assistant", "content": render_answer(text, ())}
        return httpx.Response(200, json={"choices": [{"index": 0, "message": message}]})

    http = httpx.AsyncClient(transport=httpx.MockTransport(respond))
    settings = TeacherSettings(base_url="http://teacher/v1")
    teacher = OpenAITeacher(
        TASK, settings, store=store, purpose="stream", http_client=http, clock=loop.clock, seed=1
    )
    six_hours_ms = 6 * 3600 * 1000
    calls = (teacher.label(f"text {n}", expires_at_ms=six_hours_ms) for n in range(20))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    await teacher.aclose()
    return outcomes, asked


@pytest.fixture
def make_ledger(tmp_path: Path) -> Callable[[], TeacherStore]:
    """Make the store that a teacher closes."""
    return lambda: TeacherStore(tmp_path / "teacher.sqlite")


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_a_body_is_read_up_to_its_limit_whatever_its_status(
    make_teacher: MakeTeacher, status: int
) -> None:
    sent = 0

    async def respond(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        chunk = b" " * 2**20
        for _ in range(64):
            await response.write(chunk)
            sent += len(chunk)
        return response

    async with answering(respond) as url:  # type: ignore[arg-type] # a stream is a response too
        message = await fail(make_teacher(url, max_attempts=1), TeacherUnavailableError)
    assert f"more than {MAX_BODY_BYTES}" in message
    assert sent < 64 * 2**20


@pytest.mark.parametrize("status", [200, 400])
async def test_a_compressed_body_is_not_asked_for_and_not_opened(
    make_teacher: MakeTeacher, status: int
) -> None:
    asked: list[str] = []

    async def respond(request: web.Request) -> web.Response:
        asked.append(request.headers["Accept-Encoding"])
        bomb = gzip.compress(b" " * 2**24)
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"}, status=status)

    async with answering(respond) as url:
        message = await fail(make_teacher(url, max_attempts=1), TeacherUnavailableError)
    assert "compressed" in message
    assert asked == ["identity"]


async def test_a_request_for_a_file_is_as_one_that_is_sent_and_holds_nothing_personal() -> None:
    settings = TeacherSettings.model_validate({"redaction": {"enabled": True}, "model": "m"})
    client = ChatClient(settings, schema={"type": "object"}, schema_name="x", clock=Clock())
    body = client.body([{"role": "user", "content": "Met Ada"}], client.wanted)
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("m", 1024, 0.0)
    assert body["response_format"]["json_schema"]["name"] == "x"
    with pytest.raises(RedactionError):
        client.body([{"role": "user", "content": "ada@example.org"}], client.wanted)
    await client.aclose()
