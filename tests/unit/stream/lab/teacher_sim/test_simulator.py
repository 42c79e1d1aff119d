from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import httpx
import pytest

from schemas.categories import of_labels
from schemas.errors import ConfigError
from schemas.files.task import LabelSpec, Task
from schemas.types import Entity
from stream.lab.teacher_sim.faults import Fault, SimulatorSettings
from stream.lab.teacher_sim.simulator import run_simulator, serving, teacher_sim_app
from stream.teacher.answers import parse_answer
from stream.teacher.kinds.kind import ENTITIES, kind_of
from stream.teacher.prompt import build_messages
from stream.testing.fake_time import FakeTime

TASK = Task("people", "en", (LabelSpec("PER"),))
TEXT = "Ada & Ada"
MOODS = kind_of("categories", "one")
ANSWERS = {TEXT: (Entity(6, 9, "PER", "Ada"),)}


def question(text: str = TEXT, **changes: Any) -> dict[str, Any]:
    return {"model": "gpt-x", "messages": build_messages(TASK, text)} | changes


async def ask(url: str, chat: Any, *, times: int = 1) -> list[httpx.Response]:
    async with httpx.AsyncClient() as client:
        return [await client.post(f"{url}/chat/completions", json=chat) for _ in range(times)]


async def outcomes(settings: SimulatorSettings, texts: list[str]) -> dict[str, int]:
    """Ask about each text once, in their order; status codes by text."""
    async with serving(teacher_sim_app(ANSWERS, settings)) as url, httpx.AsyncClient() as client:
        return {
            text: (await client.post(f"{url}/chat/completions", json=question(text))).status_code
            for text in texts
        }


async def test_a_known_text_is_answered_as_openai_would() -> None:
    async with serving(teacher_sim_app(ANSWERS)) as url:
        [response] = await ask(url, question())
    completion = response.json()
    choice = completion["choices"][0]
    assert (completion["object"], completion["model"]) == ("chat.completion", "gpt-x")
    said = parse_answer(
        choice["message"]["content"],
        finish_reason="stop",
        text=TEXT,
        labels=("PER",),
        kind=ENTITIES,
    )
    assert (said.entities, choice["finish_reason"]) == (ANSWERS[TEXT], "stop")
    usage = completion["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 100


async def test_an_unknown_text_is_refused() -> None:
    async with serving(teacher_sim_app(ANSWERS)) as url:
        [response] = await ask(url, question("unknown"))
    message = response.json()["choices"][0]["message"]
    assert message["content"] is None
    assert message["refusal"]


@pytest.mark.parametrize(
    "chat",
    [
        None,
        [],
        {"model": "x"},
        {"model": "x", "messages": []},
        {"model": "x", "messages": "hi"},
        {"model": "x", "messages": [{"role": "user", "content": "hi"}]},
        question(stream=True),
    ],
)
async def test_what_is_no_question_of_ours_gets_400(chat: Any) -> None:
    async with serving(teacher_sim_app(ANSWERS)) as url:
        [response] = await ask(url, chat)
    assert response.status_code == 400


async def test_models_are_listed() -> None:
    async with serving(teacher_sim_app(ANSWERS)) as url, httpx.AsyncClient() as client:
        assert (await client.get(f"{url}/models")).json()["data"][0]["id"] == "teacher-sim"


async def test_faults_follow_from_seed_text_and_attempt_in_any_order() -> None:
    settings = SimulatorSettings(faults={"429": 0.3, "500": 0.3}, seed=5)
    texts = [f"text {number}" for number in range(40)]
    forward = await outcomes(settings, texts)
    assert forward == await outcomes(settings, texts[::-1])
    other = SimulatorSettings(faults={"429": 0.3, "500": 0.3}, seed=6)
    assert forward != await outcomes(other, texts)


async def test_a_repeated_question_draws_anew() -> None:
    settings = SimulatorSettings(faults={"500": 0.5})
    async with serving(teacher_sim_app(ANSWERS, settings)) as url:
        codes = {x.status_code for x in await ask(url, question(), times=30)}
    assert codes == {200, 500}


async def test_faults_come_in_their_shares() -> None:
    settings = SimulatorSettings(faults={"429": 0.2, "500": 0.1})
    async with serving(teacher_sim_app(ANSWERS, settings)) as url:
        counts = Counter(x.status_code for x in await ask(url, question(), times=400))
    assert 50 <= counts[429] <= 110
    assert 20 <= counts[500] <= 65


async def test_too_many_requests_are_turned_away_until_time_has_passed(
    fake_time: FakeTime,
) -> None:
    settings = SimulatorSettings(requests_per_s=2.0, retry_after="3")
    app = teacher_sim_app(ANSWERS, settings, clock=fake_time.clock)
    async with serving(app) as url:
        first = await ask(url, question(), times=3)
        fake_time.now_s += 0.5
        later = await ask(url, question(), times=2)
    assert [x.status_code for x in first + later] == [200, 200, 429, 200, 429]
    assert first[2].headers["Retry-After"] == "3"


async def test_without_a_wish_429_has_no_header() -> None:
    settings = SimulatorSettings(faults={"429": 1.0}, retry_after=None)
    async with serving(teacher_sim_app(ANSWERS, settings)) as url:
        assert "Retry-After" not in (await ask(url, question()))[0].headers


async def test_answers_take_the_latency_give_or_take_the_jitter(fake_time: FakeTime) -> None:
    settings = SimulatorSettings(latency_s=2.0, jitter=0.25)
    async with serving(teacher_sim_app(ANSWERS, settings, clock=fake_time.clock)) as url:
        await ask(url, question(), times=30)
    shortest, longest = min(fake_time.slept_s), max(fake_time.slept_s)
    assert 1.5 <= shortest < 1.9
    assert 2.1 < longest <= 2.5


@pytest.mark.parametrize(
    ("fault", "content", "finish_reason"),
    [("truncated", '{"id"', "length"), ("malformed", "Sure!", "stop"), ("null", None, "stop")],
)
async def test_spoilt_answers_look_as_ordered(
    fault: Fault, content: str | None, finish_reason: str
) -> None:
    settings = SimulatorSettings(faults={fault: 1.0})
    async with serving(teacher_sim_app(ANSWERS, settings)) as url:
        choice = (await ask(url, question()))[0].json()["choices"][0]
    written = choice["message"]["content"]
    assert written is None if content is None else written.startswith(content)
    assert choice["finish_reason"] == finish_reason


async def test_a_dialect_is_spoken_and_of_several_each_by_lot() -> None:
    async with serving(teacher_sim_app(ANSWERS, SimulatorSettings(dialects=("prose",)))) as url:
        completion = (await ask(url, question()))[0].json()
    assert completion["choices"][0]["message"]["content"].startswith("Sure!")
    assert (completion["model"], completion["usage"]["total_tokens"] > 100) == ("gpt-x", True)
    settings = SimulatorSettings(dialects=("gateway-timeout", "no-choices", "parts"))
    async with serving(teacher_sim_app(ANSWERS, settings)) as url:
        responses = await ask(url, question(), times=40)
    told = {(x.status_code, len(x.json().get("choices", "none"))) for x in responses}
    assert told == {(504, 4), (200, 0), (200, 1)}


async def test_a_fault_comes_before_a_dialect_and_an_unknown_text_is_refused_in_all() -> None:
    settings = SimulatorSettings(faults={"500": 1.0}, dialects=("prose",))
    async with serving(teacher_sim_app(ANSWERS, settings)) as url:
        assert (await ask(url, question()))[0].status_code == 500
    async with serving(teacher_sim_app(ANSWERS, SimulatorSettings(dialects=("prose",)))) as url:
        [response] = await ask(url, question("unknown"))
    assert response.json()["choices"][0]["message"]["refusal"]


async def test_the_only_text_it_knows_is_still_swapped_for_another() -> None:
    settings = SimulatorSettings(faults={"swapped": 1.0})
    async with serving(teacher_sim_app(ANSWERS, settings)) as url:
        choice = (await ask(url, question()))[0].json()["choices"][0]
    assert json.loads(choice["message"]["content"])["entities"] == []


async def test_a_port_in_use_is_a_user_error() -> None:
    async with serving(teacher_sim_app(ANSWERS)) as url:
        port = httpx.URL(url).port or 0
        with pytest.raises(ConfigError, match="cannot listen"):
            async with serving(teacher_sim_app(ANSWERS), port=port):
                pass


async def test_it_serves_until_told_to_stop_even_with_a_hanging_request() -> None:
    urls: asyncio.Queue[str] = asyncio.Queue()
    stop = asyncio.Event()
    app = teacher_sim_app(ANSWERS, SimulatorSettings(faults={"hang": 1.0}))
    running = asyncio.create_task(
        run_simulator(app, host="127.0.0.1", port=0, ready=urls.put_nowait, stop=stop)
    )
    hanging = asyncio.create_task(ask(await urls.get(), question()))
    stop.set()
    await asyncio.wait_for(running, 30)
    with pytest.raises(httpx.HTTPError):
        await hanging


async def test_a_dialect_of_another_kind_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="from-zero"):
        teacher_sim_app({}, SimulatorSettings(dialects=("from-zero",)), kind=MOODS)
    with pytest.raises(ConfigError, match="capitals"):
        teacher_sim_app(ANSWERS, SimulatorSettings(dialects=("prose", "capitals")))


@pytest.mark.parametrize(
    ("fault", "content"),
    [(None, '"category": "glad"'), ("mislabelled", '"category": "sad"'), ("truncated", '{"id"')],
)
async def test_categories_are_answered_and_spoilt_as_entities_are(
    fault: Fault | None, content: str
) -> None:
    answers = {TEXT: of_labels(["glad"]), "rain": of_labels(["sad"])}
    settings = SimulatorSettings(faults={fault: 1.0} if fault else {})
    async with serving(teacher_sim_app(answers, settings, kind=MOODS)) as url:
        [response] = await ask(url, question())
    assert content in response.json()["choices"][0]["message"]["content"]
