"""Calls wait their turn here, so that few are turned away there; in fake time."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from schemas.errors import TeacherUnavailableError, TurnedAwayError
from schemas.settings import TeacherSettings
from stream.lab.teacher_sim.rationing import Ration
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.pacing import InFlight, Pace
from stream.teacher.prompt import render_answer
from stream.teacher.prompt_parts import extract_text
from stream.teacher.rate_limits import Kind
from stream.teacher.retries import Clock
from stream.testing.endpoints import TASK
from stream.testing.fake_time import FakeTime, FakeTimeLoop

T = TypeVar("T")


def in_fake_time(ask: Callable[[Clock], Awaitable[T]]) -> tuple[T, float]:
    """Run it, and tell how many seconds it took."""

    async def run(clock: Clock) -> T:
        return await ask(clock)

    loop = FakeTimeLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(run(loop.clock)), loop.time()


class Limited(httpx.MockTransport):
    """Answers after a while as far as the ration goes; `counts` has the answers by status."""

    def __init__(
        self, per_minute: dict[Kind, float], clock: Clock, *, tells: bool, latency_s: float = 0.4
    ) -> None:
        super().__init__(self._respond)
        self.ration = Ration(per_minute, clock)
        self.counts: Counter[int] = Counter()
        self._clock = clock
        self._tells = tells
        self._latency_s = latency_s

    async def _respond(self, request: httpx.Request) -> httpx.Response:
        chat = json.loads(request.content)
        tokens = len(request.content) // 4 + chat["max_tokens"]
        wait_s = self.ration.take(tokens)
        headers = self.ration.headers() if self._tells else {}
        status = 200 if wait_s is None else 429
        self.counts[status] += 1
        if status == 429:
            return httpx.Response(429, headers=headers)
        await self._clock.sleep(self._latency_s)
        message = {"role": "assistant", "content": render_answer(_text(chat), ())}
        choices = [{"index": 0, "message": message}]
        return httpx.Response(200, json={"choices": choices}, headers=headers)


def _text(chat: dict[str, list[dict[str, str]]]) -> str:
    return extract_text(chat["messages"]) or ""


async def asked(
    server: Limited, clock: Clock, path: Path, *, n_texts: int, concurrency: int = 16
) -> None:
    store = TeacherStore(path / "teacher.sqlite")
    settings = TeacherSettings(base_url="http://teacher/v1", concurrency=concurrency)
    http = httpx.AsyncClient(transport=server)
    teacher = OpenAITeacher(
        TASK, settings, store=store, purpose="stream", http_client=http, clock=clock, seed=1
    )
    queue = iter(range(n_texts))

    async def worker() -> None:
        for number in queue:
            await teacher.label(f"text {number}", expires_at_ms=6 * 3600 * 1000)

    await asyncio.gather(*(worker() for _ in range(2 * concurrency)))
    await teacher.aclose()


@pytest.mark.parametrize(
    "per_minute", [{"requests": 60.0}, {"tokens": 80_000.0}, {"requests": 30.0, "tokens": 1e6}]
)
def test_what_the_headers_grant_is_used_and_hardly_a_call_is_turned_away(
    tmp_path: Path, per_minute: dict[Kind, float]
) -> None:
    n_texts = 4 * round(min(per_minute.get("requests", 1e9), per_minute.get("tokens", 1e9) / 1300))

    async def ask(clock: Clock) -> Limited:
        server = Limited(per_minute, clock, tells=True)
        await asked(server, clock, tmp_path, n_texts=n_texts)
        return server

    server, seconds = in_fake_time(ask)
    assert server.counts[200] == n_texts
    assert server.counts[429] < 0.02 * n_texts
    scarcest = max(server.ration.granted[kind] / most for kind, most in per_minute.items())
    assert scarcest > 0.9 * (1 + seconds / 60)


def test_an_endpoint_that_tells_no_limits_is_asked_more_slowly_once_it_turns_calls_away(
    tmp_path: Path,
) -> None:
    async def ask(clock: Clock) -> Limited:
        server = Limited({"requests": 60.0}, clock, tells=False, latency_s=8.0)
        await asked(server, clock, tmp_path, n_texts=300)
        return server

    server, seconds = in_fake_time(ask)
    assert server.counts[200] == 300
    assert server.counts[429] < 0.1 * 300
    assert 0.8 * 60 * (1 + seconds / 60) < 300


def test_places_are_halved_once_for_calls_that_fail_together_and_come_back_one_by_one() -> None:
    async def play(_clock: Clock) -> list[int]:
        places = InFlight(16)
        calls = [await places.take() for _call in range(16)]
        assert [places.overloaded(call) for call in calls] == [True] + 15 * [False]
        seen = [places.places]
        for _answer in range(3 * 10):
            places.answered(1.0)
            seen.append(places.places)
        return seen

    seen, _seconds = in_fake_time(play)
    assert sorted(set(seen)) == [8, 9, 10, 11]


def test_an_endpoint_that_slows_down_keeps_a_quarter_of_the_places() -> None:
    places = InFlight(8)
    for seconds in [1.0] * 16 + [5.0] * 100:
        places.answered(seconds)
    assert places.places == 2


def test_a_pause_that_the_server_asks_for_holds_for_all_calls(fake_time: FakeTime) -> None:
    async def play() -> None:
        pace = Pace(most=4, max_wait_s=30.0, clock=fake_time.clock)
        with pytest.raises(TurnedAwayError):
            async with pace.turn(tokens=1):
                raise TurnedAwayError("busy", retry_after_s=7.0)
        begun_s = fake_time.now_s
        async with pace.turn(tokens=1):
            assert fake_time.now_s - begun_s == pytest.approx(7.0)
        assert pace.places == 2

    asyncio.run(play())


def test_who_would_wait_too_long_for_a_limit_is_turned_away(fake_time: FakeTime) -> None:
    used_up = {
        "x-ratelimit-limit-requests": "1",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "60s",
    }

    async def play() -> None:
        pace = Pace(most=4, max_wait_s=30.0, clock=fake_time.clock)
        async with pace.turn(tokens=1) as turn:
            turn.sent = True
            turn.heard(used_up)
        with pytest.raises(TurnedAwayError, match="used up") as caught:
            async with pace.turn(tokens=1):
                pytest.fail("it was let through")
        assert caught.value.retry_after_s == pytest.approx(60.0)
        assert pace.places == 4

    asyncio.run(play())


def test_a_failure_gives_the_place_back() -> None:
    async def play(clock: Clock) -> None:
        pace = Pace(most=1, max_wait_s=30.0, clock=clock)
        for _try in range(3):
            with pytest.raises(TeacherUnavailableError):
                async with pace.turn(tokens=1):
                    raise TeacherUnavailableError("no answer")
        assert pace.places == 1

    in_fake_time(play)
