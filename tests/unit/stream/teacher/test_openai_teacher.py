"""The client over real HTTP, against the simulator or a server made to measure."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from schemas.settings import TeacherSettings
from schemas.task import LabelSpec, Task, TaskExample
from schemas.types import Entity
from stream.errors import (
    BudgetExhaustedError,
    ConfigError,
    ExpiredError,
    InvalidAnswerError,
    RefusedError,
    SilverstreamError,
    TeacherUnavailableError,
)
from stream.kafka.embedded import free_port
from stream.teacher.faults import Fault, SimulatorSettings
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.prompt import extract_text, render_answer, response_schema
from stream.teacher.protocol import Answer
from stream.teacher.retries import Clock, TurnedAwayError
from stream.teacher.simulator import serving, teacher_sim_app
from stream.teacher.store import TeacherStore
from stream.testing.fake_time import FakeTime, FakeTimeLoop

TEXT = "Met Ada in Oslo"
ENTITIES = (Entity(4, 7, "PER", "Ada"), Entity(11, 15, "LOC", "Oslo"))
ANSWERS = {TEXT: ENTITIES, "Nobody here": ()}
TASK = Task("people", "en", (LabelSpec("PER", "People."), LabelSpec("LOC", "Places.")))

MakeTeacher = Callable[..., OpenAITeacher]

IMPATIENT = {"connect_timeout_s": 0.1, "read_timeout_s": 0.1}
"""For servers that never answer in time; the others get the time that a busy machine needs."""


@pytest.fixture
async def make_teacher(tmp_path: Path, fake_time: FakeTime) -> AsyncIterator[MakeTeacher]:
    made: list[OpenAITeacher] = []

    def make(url: str, *, clock: Clock | None = None, task: Task = TASK, **options: Any) -> Any:
        settings = TeacherSettings.model_validate({"base_url": url, "max_attempts": 3, **options})
        store = TeacherStore(tmp_path / "teacher.sqlite")
        made.append(OpenAITeacher(task, settings, store=store, clock=clock or fake_time.clock))
        return made[-1]

    yield make
    for teacher in made:
        await teacher.aclose()


@asynccontextmanager
async def faulty(fault: Fault | None = None, **options: Any) -> AsyncIterator[str]:
    settings = SimulatorSettings(faults={fault: 1.0} if fault else {}, **options)
    async with serving(teacher_sim_app(ANSWERS, settings)) as url:
        yield url


@asynccontextmanager
async def answering(respond: Callable[[web.Request], Awaitable[web.Response]]) -> Any:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", respond)
    async with serving(app) as url:
        yield url


async def requests_of(url: str) -> dict[str, int]:
    async with httpx.AsyncClient(base_url=url.removesuffix("/v1")) as client:
        counts: dict[str, int] = (await client.get("/stats")).json()
    return counts


async def fail(teacher: OpenAITeacher, error: type[SilverstreamError]) -> str:
    with pytest.raises(error) as caught:
        await teacher.label(TEXT)
    return str(caught.value)


# An answer, and what it costs.


async def test_a_text_is_labelled_and_billed_from_the_usage(make_teacher: MakeTeacher) -> None:
    async with faulty() as url:
        teacher = make_teacher(url, model="gpt-x")
        answer = await teacher.label(TEXT)
    assert answer.entities == ENTITIES
    assert (answer.model, answer.cached) == ("gpt-x", False)
    assert answer.prompt_version == teacher.prompt_version
    totals = teacher._store.totals()
    assert (totals.calls, totals.tokens_in) == (1, answer.tokens_in)
    assert totals.usd == pytest.approx((answer.tokens_in * 0.4 + answer.tokens_out * 1.6) / 1e6)


async def test_a_text_without_entities_is_an_answer_too(make_teacher: MakeTeacher) -> None:
    async with faulty() as url:
        assert (await make_teacher(url).label("Nobody here")).entities == ()


async def test_the_same_text_is_asked_once_even_after_a_restart(make_teacher: MakeTeacher) -> None:
    async with faulty() as url:
        first = await make_teacher(url).label(TEXT)
        again = await make_teacher(url).label(TEXT)
        assert (await requests_of(url))["requests"] == 1
    assert again == replace(first, tokens_in=0, tokens_out=0, cached=True)


@pytest.mark.parametrize(
    "change", [{"model": "other"}, {"task": replace(TASK, guidelines="No articles.")}]
)
async def test_another_model_or_prompt_is_asked_anew(
    make_teacher: MakeTeacher, change: dict[str, Any]
) -> None:
    async with faulty() as url:
        await make_teacher(url).label(TEXT)
        assert not (await make_teacher(url, **change).label(TEXT)).cached


async def test_the_request_asks_for_strict_json_at_temperature_0(
    make_teacher: MakeTeacher,
) -> None:
    asked: list[dict[str, Any]] = []

    async def respond(request: web.Request) -> web.Response:
        asked.append({**await request.json(), "key": request.headers["Authorization"]})
        text = extract_text(asked[-1]["messages"])
        return _completion(render_answer(text or "", ENTITIES))

    async with answering(respond) as url:
        await make_teacher(url, max_output_tokens=99, api_key="sk-1").label(TEXT)
    sent = asked[0]
    assert sent["response_format"]["json_schema"]["schema"] == response_schema(TASK)
    assert sent["response_format"]["json_schema"]["strict"] is True
    assert (sent["max_tokens"], sent["temperature"], sent["key"]) == (99, 0, "Bearer sk-1")


async def test_the_key_of_another_service_is_never_sent(
    make_teacher: MakeTeacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    seen: list[str] = []

    async def respond(request: web.Request) -> web.Response:
        seen.append(str(request.headers))
        return _completion(render_answer(TEXT, ()))

    async with answering(respond) as url:
        await make_teacher(url).label(TEXT)
    assert "sk-secret" not in seen[0]


async def test_examples_change_the_prompt(tmp_path: Path) -> None:
    settings = TeacherSettings(base_url="http://127.0.0.1:9/v1")
    versions = set()
    for examples in ([], [TaskExample(TEXT, ENTITIES)]):
        store = TeacherStore(tmp_path / "teacher.sqlite")
        teacher = OpenAITeacher(TASK, settings, store=store, examples=examples)
        versions.add(teacher.prompt_version)
        await teacher.aclose()
    assert len(versions) == 2


def _completion(content: str, **changes: Any) -> web.Response:
    message = {"role": "assistant", "content": content}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return web.json_response({"choices": choices, "usage": usage, "model": "m", **changes})


# Answers that are no label: one call, paid, no retry.


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("malformed", InvalidAnswerError),
        ("truncated", InvalidAnswerError),
        ("null", InvalidAnswerError),
        ("swapped", InvalidAnswerError),
        ("refusal", RefusedError),
        ("filtered", RefusedError),
    ],
)
async def test_a_wrong_answer_is_paid_for_and_not_asked_again(
    make_teacher: MakeTeacher, fault: Fault, error: type[SilverstreamError]
) -> None:
    async with faulty(fault) as url:
        teacher = make_teacher(url)
        await fail(teacher, error)
        assert (await requests_of(url))["requests"] == 1
    assert teacher._store.totals().calls == 1
    assert teacher._store.totals().tokens_in > 0


async def test_an_unknown_text_is_refused(make_teacher: MakeTeacher) -> None:
    async with faulty() as url:
        with pytest.raises(RefusedError):
            await make_teacher(url).label("never seen")


async def test_a_wrong_answer_is_not_remembered(make_teacher: MakeTeacher) -> None:
    async with faulty("malformed") as url:
        await fail(make_teacher(url), InvalidAnswerError)
    async with faulty() as url:
        assert not (await make_teacher(url).label(TEXT)).cached


async def test_a_request_that_the_endpoint_finds_wrong_is_not_repeated(
    make_teacher: MakeTeacher,
) -> None:
    async with faulty("400") as url:
        teacher = make_teacher(url)
        await fail(teacher, InvalidAnswerError)
        assert (await requests_of(url))["requests"] == 1
    assert teacher._store.totals().calls == 0


async def test_a_request_stopped_by_a_content_filter_is_a_refusal(
    make_teacher: MakeTeacher,
) -> None:
    async def respond(_request: web.Request) -> web.Response:
        return web.json_response({"error": {"code": "content_filter"}}, status=400)

    async with answering(respond) as url:
        await fail(make_teacher(url), RefusedError)


# What may pass: retried, with bounded waits.


@pytest.mark.parametrize("fault", ["500", "html", "hang", "drip"])
async def test_what_may_pass_is_retried_until_the_attempts_are_spent(
    make_teacher: MakeTeacher, fake_time: FakeTime, fault: Fault
) -> None:
    patience = IMPATIENT if fault in {"hang", "drip"} else {}
    async with faulty(fault) as url:
        await fail(make_teacher(url, **patience), TeacherUnavailableError)
        assert (await requests_of(url))["requests"] == 3
    assert len(fake_time.slept_s) == 2


async def test_a_retry_that_succeeds_gives_the_answer(make_teacher: MakeTeacher) -> None:
    async with serving(
        teacher_sim_app(ANSWERS, SimulatorSettings(faults={"429": 0.3, "500": 0.3}, seed=3))
    ) as url:
        teacher = make_teacher(url, max_attempts=12)
        answer = await teacher.label(TEXT)
        assert (await requests_of(url))["requests"] > 1
    assert answer.entities == ENTITIES
    assert teacher._store.totals().calls == 1


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


async def test_a_call_that_was_turned_away_costs_nothing(make_teacher: MakeTeacher) -> None:
    async with faulty("500") as url:
        teacher = make_teacher(url)
        await fail(teacher, TeacherUnavailableError)
    assert teacher._store.totals().usd == 0.0


async def test_a_call_whose_bill_got_lost_counts_in_full(make_teacher: MakeTeacher) -> None:
    async with faulty("hang") as url:
        teacher = make_teacher(url, max_attempts=1, max_output_tokens=1000, **IMPATIENT)
        await fail(teacher, TeacherUnavailableError)
    totals = teacher._store.totals()
    assert totals.calls == 1
    assert totals.usd >= 1000 * 1.6e-6


async def test_a_missing_bill_counts_as_the_most_it_could_be(make_teacher: MakeTeacher) -> None:
    async def respond(_request: web.Request) -> web.Response:
        return _completion(render_answer(TEXT, ()), usage=None)

    async with answering(respond) as url:
        answer = await make_teacher(url, max_output_tokens=77).label(TEXT)
    assert answer.tokens_out == 77
    assert answer.tokens_in > 100


async def test_an_endpoint_that_cannot_be_reached_costs_nothing(
    make_teacher: MakeTeacher, unused_tcp_port: int
) -> None:
    teacher = make_teacher(f"http://127.0.0.1:{unused_tcp_port}/v1")
    assert "reached" in await fail(teacher, TeacherUnavailableError)
    assert teacher._store.totals().calls == 0


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
        teacher = OpenAITeacher(TASK, settings, store=store, http_client=http, clock=clock, seed=1)
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


async def test_an_open_circuit_costs_no_attempts(make_teacher: MakeTeacher) -> None:
    async with faulty("500") as url:
        teacher = make_teacher(url, max_attempts=8)
        await fail(teacher, TeacherUnavailableError)
        with pytest.raises(TeacherUnavailableError, match="500"):
            await teacher.label(TEXT, expires_at_ms=2**50)
        assert (await requests_of(url))["requests"] == 16


async def test_it_tells_when_it_last_tried(make_teacher: MakeTeacher, fake_time: FakeTime) -> None:
    async with faulty("500") as url:
        teacher = make_teacher(url)
        assert teacher.tried_at_s < 0
        await fail(teacher, TeacherUnavailableError)
    assert teacher.tried_at_s == fake_time.now_s


# The budget comes before the call.


async def test_no_call_is_made_that_the_budget_may_not_cover(make_teacher: MakeTeacher) -> None:
    async with faulty() as url:
        teacher = make_teacher(url, budget_usd_per_day=0.001, max_output_tokens=10_000)
        assert "USD" in await fail(teacher, BudgetExhaustedError)
        assert "requests" not in await requests_of(url)


async def test_the_budget_of_the_next_day_is_new(
    make_teacher: MakeTeacher, fake_time: FakeTime
) -> None:
    async with faulty("hang") as url:
        teacher = make_teacher(url, max_attempts=1, budget_usd_per_day=0.003, **IMPATIENT)
        await fail(teacher, TeacherUnavailableError)
        await fail(teacher, BudgetExhaustedError)
        fake_time.now_s += 24 * 3600
        await fail(teacher, TeacherUnavailableError)


async def test_an_answer_in_the_cache_needs_no_budget(make_teacher: MakeTeacher) -> None:
    async with faulty() as url:
        await make_teacher(url).label(TEXT)
        assert (await make_teacher(url, budget_usd_per_day=0.0).label(TEXT)).cached


# Side by side.


async def test_no_more_calls_run_side_by_side_than_set(make_teacher: MakeTeacher) -> None:
    running, most = 0, 0

    async def respond(request: web.Request) -> web.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        text = extract_text((await request.json())["messages"]) or ""
        for _ in range(20):
            await asyncio.sleep(0)
        running -= 1
        return _completion(render_answer(text, ()))

    async with answering(respond) as url:
        teacher = make_teacher(url, concurrency=3)
        await asyncio.gather(*(teacher.label(f"text {number}") for number in range(20)))
    assert 1 < most <= 3


async def test_hundreds_of_texts_through_a_teacher_with_every_fault_end_well(
    make_teacher: MakeTeacher,
) -> None:
    answers = {f"Ada {n}": (Entity(0, 3, "PER", "Ada"),) for n in range(120)}
    shares: dict[Fault, float] = {
        "429": 0.1, "500": 0.1, "html": 0.05, "malformed": 0.05, "truncated": 0.05,
        "refusal": 0.05, "null": 0.03, "swapped": 0.03, "hang": 0.02, "drip": 0.01,
    }  # fmt: skip
    async with serving(teacher_sim_app(answers, SimulatorSettings(faults=shares))) as url:
        teacher = make_teacher(url, max_attempts=8, concurrency=16, read_timeout_s=1.0)
        outcomes = await asyncio.gather(
            *(teacher.label(text) for text in answers), return_exceptions=True
        )
    allowed = (InvalidAnswerError, RefusedError, TeacherUnavailableError)
    labelled = [x for x in outcomes if not isinstance(x, BaseException)]
    assert all(isinstance(x, allowed) for x in outcomes if isinstance(x, BaseException))
    assert 70 <= len(labelled) < 120
    assert {x.entities for x in labelled} == {(Entity(0, 3, "PER", "Ada"),)}


# Settings and the doctor.


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://host/v1", "http://", "nonsense", "http://[::1", ""]
)
async def test_a_base_url_that_is_not_http_is_a_user_error(
    make_teacher: MakeTeacher, url: str
) -> None:
    with pytest.raises(ConfigError, match="base_url"):
        make_teacher(url)


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]"])
async def test_a_link_local_base_url_is_a_user_error(make_teacher: MakeTeacher, host: str) -> None:
    with pytest.raises(ConfigError, match="link-local"):
        make_teacher(f"http://user:hunter2@{host}/latest")


async def test_a_password_in_the_base_url_stays_out_of_messages(
    make_teacher: MakeTeacher, unused_tcp_port: int
) -> None:
    teacher = make_teacher(f"http://user:hunter2@127.0.0.1:{unused_tcp_port}/v1")
    message = await fail(teacher, TeacherUnavailableError)
    assert "127.0.0.1" in message
    assert "hunter2" not in message


async def test_a_check_passes_when_the_teacher_refuses_but_answers(
    make_teacher: MakeTeacher,
) -> None:
    async with faulty() as url:
        await make_teacher(url).check()


@pytest.mark.parametrize(
    ("fault", "error"), [("500", TeacherUnavailableError), ("malformed", InvalidAnswerError)]
)
async def test_a_check_fails_at_the_first_attempt(
    make_teacher: MakeTeacher, fault: Fault, error: type[SilverstreamError]
) -> None:
    async with serving(
        teacher_sim_app({"Hello.": ()}, SimulatorSettings(faults={fault: 1.0}))
    ) as url:
        with pytest.raises(error):
            await make_teacher(url).check()
        assert (await requests_of(url))["requests"] == 1


async def test_errors_never_quote_the_text(make_teacher: MakeTeacher) -> None:
    for fault in ("400", "401", "429", "500", "html", "malformed", "swapped", "redirect"):
        async with faulty(fault) as url:
            assert "Ada" not in await fail(make_teacher(url, max_attempts=1), SilverstreamError)


async def test_answers_are_the_json_that_was_asked_for() -> None:
    answer = json.loads(render_answer(TEXT, ENTITIES))
    schema = response_schema(TASK)
    assert list(answer) == schema["required"]
