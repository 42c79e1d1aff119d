"""What the client asks and gives, over real HTTP."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from schemas.errors import (
    ConfigError,
    InvalidAnswerError,
    RefusedError,
    SilverstreamError,
    TeacherAwayError,
    TeacherPermanentError,
    TeacherUnavailableError,
    TurnedAwayError,
)
from schemas.files.task import TaskExample
from schemas.settings import TeacherSettings, load_settings
from schemas.types import Entity
from stream.lab.teacher_sim.faults import Fault, SimulatorSettings
from stream.lab.teacher_sim.simulator import serving, teacher_sim_app
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.prompt import render_answer, response_schema
from stream.teacher.prompt_parts import extract_text
from stream.testing.endpoints import (
    ENTITIES,
    TASK,
    TEXT,
    MakeTeacher,
    always,
    answering,
    completion,
    fail,
    faulty,
    requests_of,
)


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
    "row",
    [
        '[[4, 7, "DRUG"]]',
        '[[4, 700, "PER"]]',
        '[[-4, 7, "PER"]]',
        '[[4, 7, "PER"], [5, 9, "LOC"]]',
        '[["4", 7, "PER"]]',
        "no JSON",
        "[[4, 7]]",
        "null",
    ],
)
async def test_a_remembered_answer_that_does_not_fit_its_text_is_asked_for_again(
    make_teacher: MakeTeacher, tmp_path: Path, row: str
) -> None:
    async with faulty() as url:
        teacher = make_teacher(url)
        first = await teacher.label(TEXT)
        with closing(sqlite3.connect(tmp_path / "teacher.sqlite")) as database, database:
            database.execute("UPDATE answers SET spans = ?", (row,))
        assert await teacher.label(TEXT) == first
        assert (await teacher.label(TEXT)).cached


@pytest.mark.parametrize(
    "change", [{"model": "other"}, {"task": replace(TASK, guidelines="No articles.")}]
)
async def test_another_model_or_prompt_is_asked_anew(
    make_teacher: MakeTeacher, change: dict[str, Any]
) -> None:
    async with faulty() as url:
        await make_teacher(url).label(TEXT)
        assert not (await make_teacher(url, **change).label(TEXT)).cached


async def test_whoever_asks_anew_gets_no_remembered_answer_and_leaves_none(
    make_teacher: MakeTeacher,
) -> None:
    async def respond(_: web.Request) -> web.Response:
        return completion(render_answer(TEXT, ENTITIES), system_fingerprint="fp_1")

    async with answering(respond) as url:
        teacher = make_teacher(url)
        fresh = [await teacher.label_anew(TEXT) for _ in range(2)]
        assert not (await teacher.label(TEXT)).cached
        remembered = await teacher.label(TEXT)
        assert not (await teacher.label_anew(TEXT)).cached
    assert [(one.cached, one.fingerprint) for one in fresh] == [(False, "fp_1")] * 2
    assert (remembered.cached, remembered.fingerprint) == (True, "")


async def test_the_request_asks_for_strict_json_at_temperature_0(
    make_teacher: MakeTeacher,
) -> None:
    asked: list[dict[str, Any]] = []

    async def respond(request: web.Request) -> web.Response:
        asked.append({**await request.json(), "key": request.headers["Authorization"]})
        text = extract_text(asked[-1]["messages"])
        return completion(render_answer(text or "", ENTITIES))

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
        return completion(render_answer(TEXT, ()))

    async with answering(respond) as url:
        await make_teacher(url).label(TEXT)
    assert "sk-secret" not in seen[0]


async def test_examples_change_the_prompt(tmp_path: Path) -> None:
    settings = TeacherSettings(base_url="http://127.0.0.1:9/v1")
    versions = set()
    for examples in ([], [TaskExample(TEXT, ENTITIES)]):
        store = TeacherStore(tmp_path / "teacher.sqlite")
        teacher = OpenAITeacher(TASK, settings, store=store, purpose="stream", examples=examples)
        versions.add(teacher.prompt_version)
        await teacher.aclose()
    assert len(versions) == 2


@pytest.mark.parametrize(
    ("error", "kind", "calls"),
    [
        ({"code": 500}, TeacherUnavailableError, 3),
        ({"code": 429}, TurnedAwayError, 3),
        ({"code": 503}, TeacherAwayError, 3),
        ({"message": "who knows"}, TeacherUnavailableError, 3),
        ({"code": "invalid_api_key"}, TeacherPermanentError, 1),
        ({"code": "context_length_exceeded"}, InvalidAnswerError, 1),
        ({"code": "content_filter"}, RefusedError, 1),
    ],
)
async def test_an_error_in_a_body_means_what_its_status_would(
    make_teacher: MakeTeacher, error: Any, kind: type[SilverstreamError], calls: int
) -> None:
    asked: list[int] = []
    async with answering(always({"error": error}, asked=asked)) as url:
        await fail(make_teacher(url, max_attempts=3), kind)
    assert len(asked) >= 3 if calls > 1 else len(asked) == 1


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
    make_teacher: MakeTeacher, ledger: TeacherStore, fault: Fault, error: type[SilverstreamError]
) -> None:
    async with faulty(fault) as url:
        teacher = make_teacher(url)
        await fail(teacher, error)
        assert (await requests_of(url))["requests"] == 1
    assert ledger.totals().calls == 1
    assert ledger.totals().tokens_in > 0


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
    make_teacher: MakeTeacher, ledger: TeacherStore
) -> None:
    async with faulty("400") as url:
        teacher = make_teacher(url)
        await fail(teacher, InvalidAnswerError)
        assert (await requests_of(url))["requests"] == 1
    assert ledger.totals().calls == 0


async def test_a_request_stopped_by_a_content_filter_is_a_refusal(
    make_teacher: MakeTeacher,
) -> None:
    async def respond(_request: web.Request) -> web.Response:
        return web.json_response({"error": {"code": "content_filter"}}, status=400)

    async with answering(respond) as url:
        await fail(make_teacher(url), RefusedError)


# Side by side.


async def test_no_more_calls_run_side_by_side_than_set(make_teacher: MakeTeacher) -> None:
    running, most, met = 0, 0, asyncio.Event()

    async def respond(request: web.Request) -> web.Response:
        nonlocal running, most
        running += 1
        is_first = most == 0  # it runs alone, to find out what the server takes
        most = max(most, running)
        if running > 1:
            met.set()
        text = extract_text((await request.json())["messages"]) or ""
        if not is_first:
            await asyncio.wait_for(met.wait(), 60)
        running -= 1
        return completion(render_answer(text, ()))

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
def test_a_base_url_that_is_not_http_is_a_user_error(url: str) -> None:
    with pytest.raises(ConfigError, match=r"teacher\.base_url"):
        load_settings(teacher={"base_url": url})


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]"])
def test_a_link_local_base_url_is_a_user_error(host: str) -> None:
    with pytest.raises(ConfigError, match="link-local") as caught:
        load_settings(teacher={"base_url": f"http://user:hunter2@{host}/latest"})
    assert "hunter2" not in str(caught.value)


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


class BrokenTransport(httpx.MockTransport):
    async def aclose(self) -> None:
        raise OSError("the connection is gone")


async def test_closing_ends_its_thread_and_closes_the_store_though_a_connection_breaks(
    tmp_path: Path,
) -> None:
    before = set(threading.enumerate())
    store = TeacherStore(tmp_path / "teacher.sqlite")
    http = httpx.AsyncClient(transport=BrokenTransport(lambda _: httpx.Response(500)))
    settings = TeacherSettings(base_url="http://teacher/v1", max_attempts=1)
    teacher = OpenAITeacher(TASK, settings, store=store, purpose="stream", http_client=http)
    with pytest.raises(TeacherUnavailableError):
        await teacher.label(TEXT)
    threads = [x for x in set(threading.enumerate()) - before if "teacher-state" in x.name]
    with pytest.raises(OSError, match="gone"):
        await teacher.aclose()
    with pytest.raises(sqlite3.ProgrammingError):
        store.totals()
    for thread in threads:
        thread.join(timeout=10.0)
    assert [x.is_alive() for x in threads] == [False]


async def test_answers_are_the_json_that_was_asked_for() -> None:
    answer = json.loads(render_answer(TEXT, ENTITIES))
    schema = response_schema(TASK)
    assert list(answer) == schema["required"]
