"""What the client retries, waits out and gives up on, over real HTTP and in fake time."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from schemas.errors import ExpiredError, TeacherUnavailableError, TurnedAwayError
from schemas.settings import TeacherSettings
from stream.kafka.local.embedded import free_port
from stream.lab.teacher_sim.faults import Fault, SimulatorSettings
from stream.lab.teacher_sim.simulator import serving, teacher_sim_app
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.prompt import render_answer
from stream.teacher.prompt_parts import extract_text
from stream.teacher.protocol import Answer
from stream.teacher.retries import Clock
from stream.testing.endpoints import (
    ANSWERS,
    ENTITIES,
    IMPATIENT,
    TASK,
    TEXT,
    MakeTeacher,
    answering,
    completion,
    fail,
    faulty,
    requests_of,
)
from stream.testing.fake_time import FakeTime, FakeTimeLoop


@pytest.mark.parametrize("fault", ["500", "html", "hang", "drip"])
async def test_what_may_pass_is_retried_until_the_attempts_are_spent(
    make_teacher: MakeTeacher, fake_time: FakeTime, fault: Fault
) -> None:
    patience = IMPATIENT if fault in {"hang", "drip"} else {}
    async with faulty(fault) as url:
        await fail(make_teacher(url, **patience), TeacherUnavailableError)
        assert (await requests_of(url))["requests"] == 3
    assert len(fake_time.slept_s) == 2


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[TeacherStore]:
    """The store of every teacher of a test, opened beside it."""
    store = TeacherStore(tmp_path / "teacher.sqlite")
    yield store
    store.close()


async def test_a_retry_that_succeeds_gives_the_answer(
    make_teacher: MakeTeacher, ledger: TeacherStore
) -> None:
    async with serving(
        teacher_sim_app(ANSWERS, SimulatorSettings(faults={"429": 0.3, "500": 0.3}, seed=3))
    ) as url:
        teacher = make_teacher(url, max_attempts=12)
        answer = await teacher.label(TEXT)
        assert (await requests_of(url))["requests"] > 1
    assert answer.entities == ENTITIES
    assert ledger.totals().calls == 1


@pytest.mark.parametrize(
    ("header", "wish_s"), [("2", 2.0), ("1e9", 4.0), (None, 0.0), ("soon", 0.0)]
)
async def test_retry_after_is_respected_within_the_limit(
    make_teacher: MakeTeacher, fake_time: FakeTime, header: str | None, wish_s: float
) -> None:
    async with faulty("429", retry_after=header) as url:
        await fail(make_teacher(url, max_retry_wait_s=4.0), TeacherUnavailableError)
    assert all(wish_s < x <= wish_s + 4.0 for x in fake_time.slept_s)
    assert wish_s + 0.25 <= fake_time.slept_s[0] <= wish_s + 0.5


async def test_a_call_that_was_turned_away_costs_nothing(
    make_teacher: MakeTeacher, ledger: TeacherStore
) -> None:
    async with faulty("500") as url:
        teacher = make_teacher(url)
        await fail(teacher, TeacherUnavailableError)
    assert ledger.totals().usd == 0.0


async def test_an_endpoint_that_cannot_be_reached_costs_nothing(
    make_teacher: MakeTeacher, ledger: TeacherStore, unused_tcp_port: int
) -> None:
    teacher = make_teacher(f"http://127.0.0.1:{unused_tcp_port}/v1")
    assert "reached" in await fail(teacher, TeacherUnavailableError)
    assert ledger.totals().calls == 0


async def test_a_redirect_is_neither_followed_nor_repeated(make_teacher: MakeTeacher) -> None:
    async with faulty("redirect") as url:
        assert "307" in await fail(make_teacher(url), TeacherUnavailableError)
        counts = await requests_of(url)
    assert counts["requests"] == 1
    assert "redirected" not in counts


async def test_a_wrong_key_is_not_tried_again_and_says_what_to_check(
    make_teacher: MakeTeacher,
) -> None:
    async with faulty("401") as url:
        teacher = make_teacher(url, api_key="sk-secret")
        message = await fail(teacher, TeacherUnavailableError)
        assert (await requests_of(url))["requests"] == 1
    assert "teacher.api_key" in message
    assert "sk-secret" not in message


async def test_after_failures_in_a_row_calls_are_not_even_made(make_teacher: MakeTeacher) -> None:
    async with faulty("500") as url:
        teacher = make_teacher(url, max_attempts=5)
        await fail(teacher, TeacherUnavailableError)
        with pytest.raises(TurnedAwayError, match="circuit"):
            await teacher.check()
        assert (await requests_of(url))["requests"] == 5


# A busy teacher is waited for.


class Rationed(httpx.MockTransport):
    """Answers one call a second; the others get 429, with Retry-After where it is given."""

    def __init__(self, clock: Clock, retry_after: str | None) -> None:
        super().__init__(self._respond)
        self._clock = clock
        self._headers = {} if retry_after is None else {"Retry-After": retry_after}
        self._free_at_s = 0.0

    def _respond(self, request: httpx.Request) -> httpx.Response:
        if self._clock.now() < self._free_at_s:
            return httpx.Response(429, headers=self._headers)
        self._free_at_s = self._clock.now() + 1.0
        text = extract_text(json.loads(request.content)["messages"])
        message = {"role": "assistant", "content": render_answer(text or "", ())}
        return httpx.Response(200, json={"choices": [{"index": 0, "message": message}]})


@pytest.mark.parametrize("retry_after", ["1", None])
@pytest.mark.parametrize("n_texts", [8, 32])
def test_a_teacher_that_grants_one_call_a_second_answers_all_in_the_end(
    tmp_path: Path, retry_after: str | None, n_texts: int
) -> None:
    async def ask(clock: Clock) -> list[Answer]:
        http = httpx.AsyncClient(transport=Rationed(clock, retry_after))
        store = TeacherStore(tmp_path / "teacher.sqlite")
        settings = TeacherSettings(base_url="http://teacher/v1", max_attempts=1)
        teacher = OpenAITeacher(
            TASK, settings, store=store, purpose="stream", http_client=http, clock=clock, seed=1
        )
        labelled = (
            teacher.label(f"text {n}", expires_at_ms=6 * 3600 * 1000) for n in range(n_texts)
        )
        answers = await asyncio.gather(*labelled)
        await teacher.aclose()
        return answers

    loop = FakeTimeLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        answers = runner.run(ask(loop.clock))
    assert len(answers) == n_texts
    assert n_texts - 1 <= loop.time() < 10 * n_texts


async def test_a_busy_teacher_is_waited_for_until_the_request_expires(
    make_teacher: MakeTeacher, fake_time: FakeTime
) -> None:
    expires_at_s = fake_time.now_s + 3600
    async with faulty("429") as url:
        teacher = make_teacher(url)
        with pytest.raises(ExpiredError):
            await teacher.label(TEXT, expires_at_ms=int(expires_at_s * 1000))
    assert expires_at_s - 60 <= fake_time.now_s < expires_at_s


@pytest.mark.parametrize("refuses", [True, False], ids=["no connection", "503"])
async def test_a_teacher_that_is_away_is_waited_for_until_the_request_expires(
    make_teacher: MakeTeacher, fake_time: FakeTime, *, refuses: bool
) -> None:
    async def away(_: web.Request) -> web.Response:
        return web.Response(status=503)

    expires_at_s = fake_time.now_s + 600
    async with answering(away) as url:
        teacher = make_teacher(f"http://127.0.0.1:{free_port()}/v1" if refuses else url)
        with pytest.raises(ExpiredError):
            await teacher.label(TEXT, expires_at_ms=int(expires_at_s * 1000))
        assert expires_at_s - 60 <= fake_time.now_s < expires_at_s
        await fail(teacher, TeacherUnavailableError)  # as bootstrap asks: it gives up
    assert fake_time.now_s < expires_at_s + 600


async def test_a_request_without_expiry_waits_as_long_as_all_attempts_would(
    make_teacher: MakeTeacher, fake_time: FakeTime
) -> None:
    begun_at_s = fake_time.now_s
    async with faulty("429") as url:
        await fail(make_teacher(url, max_retry_wait_s=20.0), TeacherUnavailableError)
    assert 20.0 < fake_time.now_s - begun_at_s < 60.0


async def test_while_the_circuit_is_open_no_attempt_is_spent_and_a_greeting_probes(
    make_teacher: MakeTeacher, fake_time: FakeTime, ledger: TeacherStore
) -> None:
    expires_at_ms = int((fake_time.now_s + 600) * 1000)
    asked = list[str]()

    async def down(request: web.Request) -> web.Response:
        asked.append(extract_text((await request.json())["messages"]) or "")
        return web.Response(status=500)

    async with answering(down) as url:
        teacher = make_teacher(url, max_attempts=5)
        with pytest.raises(ExpiredError):
            await teacher.label(TEXT, expires_at_ms=expires_at_ms)
    assert asked[:5] == [TEXT] * 5
    assert set(asked[5:]) == {"Hello."}
    assert len(asked) < 40
    [noted] = ledger.outages().values()
    assert "500" in noted.why
    assert noted.since_s < noted.tried_s


async def test_a_text_that_alone_breaks_the_endpoint_uses_up_its_attempts(
    make_teacher: MakeTeacher, ledger: TeacherStore
) -> None:
    async def allergic(request: web.Request) -> web.Response:
        text = extract_text((await request.json())["messages"]) or ""
        return web.Response(status=500) if text == TEXT else completion(render_answer(text, ()))

    async with answering(allergic) as url:
        teacher = make_teacher(url, max_attempts=6)
        with capture_logs() as logs, pytest.raises(TeacherUnavailableError, match="500"):
            await teacher.label(TEXT, expires_at_ms=2**50)
        assert not teacher.is_open
    told = [x["event"] for x in logs if x["event"].startswith("teacher_circuit")]
    assert told == ["teacher_circuit_opened", "teacher_circuit_closed"]
    assert ledger.outages() == {}


async def test_a_ledger_that_is_shut_is_told_once_until_it_can_be_written(
    tmp_path: Path, fake_time: FakeTime
) -> None:
    path = tmp_path / "teacher.sqlite"
    store = TeacherStore(path, busy_timeout_s=0.001)
    with closing(sqlite3.connect(path, isolation_level=None)) as other, capture_logs() as logs:
        other.execute("BEGIN IMMEDIATE")
        async with faulty() as url:
            settings = TeacherSettings(base_url=url)
            teacher = OpenAITeacher(
                TASK, settings, store=store, purpose="stream", clock=fake_time.clock
            )
            expires_at_s = fake_time.now_s + 600
            with pytest.raises(ExpiredError):
                await teacher.label(TEXT, expires_at_ms=int(expires_at_s * 1000))
            assert "locked" in str(teacher.refusal)
            other.execute("ROLLBACK")
            await teacher.label(TEXT)
            assert teacher.refusal is None
            await teacher.aclose()
    assert [x["event"] for x in logs].count("teacher_state_shut") == 1
    assert len(fake_time.slept_s) > 3


async def test_it_tells_when_it_last_tried(make_teacher: MakeTeacher, fake_time: FakeTime) -> None:
    async with faulty("500") as url:
        teacher = make_teacher(url)
        assert teacher.tried_at_s < 0
        await fail(teacher, TeacherUnavailableError)
    assert teacher.tried_at_s == fake_time.now_s
