"""Batches over real HTTP: what they answer and cost, and what is left after a kill at each step."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web

from schemas.errors import (
    BudgetExhaustedError,
    ConfigError,
    ExpiredError,
    SilverstreamError,
    TeacherPermanentError,
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
from stream.teacher.store_looks import batched_of, batches_of, totals_of
from stream.testing.endpoints import TASK, requests_of
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

    async def ask(
        self,
        texts: Sequence[str] = TEXTS,
        *,
        killed_after_s: float | None = None,
        batch: dict[str, Any] | None = None,
        in_time: bool = True,
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
        found: Found = {}
        lane = BatchLane(teacher, settings, task=TASK.name, purpose=self.purpose)
        try:
            async with aclosing(lane.lots(texts, in_time=lambda _: in_time)) as lots:
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


@pytest.fixture
def runs(tmp_path: Path, fake_time: FakeTime) -> Runs:
    return Runs(tmp_path, fake_time)


def answered(found: Found) -> list[str]:
    return sorted(text for text, one in found.items() if isinstance(one, Answer))


def reservations(runs: Runs, file: str = "teacher.sqlite") -> int:
    with closing(sqlite3.connect(runs.folder / file)) as database:
        return int(database.execute("SELECT count(*) FROM reservations").fetchone()[0])


async def test_a_batch_answers_as_live_calls_do_for_half_the_price(runs: Runs) -> None:
    async with simulated(runs.time, batch_s=600) as endpoint:
        runs.url = endpoint.url
        found = await runs.ask()
        counts = await requests_of(runs.url)
    one = found[TEXTS[3]]
    assert isinstance(one, Answer)
    assert one.entities == ANSWERS[TEXTS[3]]
    assert not one.cached
    assert answered(found) == TEXTS
    assert (counts["requests"], counts["batches"], counts["batch lines"]) == (1, 1, 7)
    live, batched = totals_of(runs.state), batched_of(runs.state)[0]
    assert (live.calls, batched.calls) == (8, 7)
    assert batched.usd == pytest.approx((live.usd - batched.usd) * 7 / 2, rel=0.01)
    assert reservations(runs) == 0
    assert batches_of(runs.state) == []
    assert endpoint.deleted == ["/v1/files/file-1", "/v1/files/file-2"]


async def test_what_is_known_is_in_no_batch(runs: Runs) -> None:
    async with simulated(runs.time) as endpoint:
        runs.url = endpoint.url
        await runs.ask(TEXTS[:4])
        found = await runs.ask()
        counts = await requests_of(runs.url)
    assert answered(found) == TEXTS
    assert counts["texts"] == len(TEXTS)


@pytest.mark.parametrize("max_usd", [None, 1.0])
async def test_killed_while_it_waits_it_goes_on_with_the_same_batch(
    runs: Runs, max_usd: float | None
) -> None:
    runs.max_usd = max_usd
    async with simulated(runs.time, batch_s=600) as endpoint:
        runs.url = endpoint.url
        with pytest.raises(KilledError):
            await runs.ask(killed_after_s=120)
        assert reservations(runs) == 7
        found = await runs.ask()
        assert (await requests_of(runs.url))["batches"] == 1
    assert answered(found) == TEXTS
    assert reservations(runs) == 0
    assert max_usd is None or reservations(runs, "run.sqlite") == 0


def forget_one(runs: Runs) -> None:
    """Forget the text of one line that waits."""
    with closing(sqlite3.connect(runs.state)) as database:
        (question,) = database.execute("SELECT question FROM batch_lines LIMIT 1").fetchone()
    with closing(TeacherStore(runs.state)) as store:
        assert len(store.batches_about([question])) == 1
        store.forget([question], [], dry_run=False)
        assert store.batches_about([question]) == []


async def test_a_text_that_is_forgotten_while_it_waits_gets_no_answer(runs: Runs) -> None:
    async with simulated(runs.time) as endpoint:
        runs.url = endpoint.url

        async def forget(request: web.Request, handler: Handler) -> web.StreamResponse:
            forget_one(runs)
            return await handler(request)

        endpoint.spoil["POST /v1/batches"] = forget
        found = await runs.ask()
        endpoint.spoil.clear()
        (gone,) = set(TEXTS) - set(answered(found))
        assert isinstance(found[gone], ExpiredError)
        assert reservations(runs) == 1
        assert batches_of(runs.state) == []
        again = (await runs.ask([gone]))[gone]
    assert isinstance(again, Answer)
    assert not again.cached


async def test_a_file_with_a_forgotten_text_is_deleted_instead_of_sent(runs: Runs) -> None:
    async with simulated(runs.time, batch_s=600) as endpoint:
        runs.url = endpoint.url
        with pytest.raises(KilledError):
            await runs.ask(killed_after_s=120)
        with closing(sqlite3.connect(runs.state)) as database, database:
            database.execute("UPDATE batches SET id = '', tried_s = 0, until_s = 0")
        forget_one(runs)
        assert await runs.ask([]) == {}
        assert (await requests_of(runs.url))["batches"] == 1
    assert endpoint.deleted == ["/v1/files/file-1"]
    assert batches_of(runs.state) == []
    assert reservations(runs) == 1


async def test_a_batch_that_was_read_but_not_ended_leaves_no_file(runs: Runs) -> None:
    async with simulated(runs.time, batch_s=600) as endpoint:
        runs.url = endpoint.url
        with pytest.raises(KilledError):
            await runs.ask(killed_after_s=120)
        with closing(sqlite3.connect(runs.state)) as database, database:
            database.execute("DELETE FROM batch_lines")
        await runs.ask([])
    assert endpoint.deleted == ["/v1/files/file-1", "/v1/files/file-2"]
    assert batches_of(runs.state) == []


async def test_one_that_comes_days_late_to_an_endpoint_that_is_away_asks_again(
    runs: Runs,
) -> None:
    async with simulated(runs.time, batch_s=600) as endpoint:
        runs.url = endpoint.url
        with pytest.raises(KilledError):
            await runs.ask(killed_after_s=120)
        runs.time.now_s += 5 * 86400

        async def away(_request: web.Request, _handler: Handler) -> web.StreamResponse:
            endpoint.spoil.clear()
            return web.Response(status=503)

        endpoint.spoil["GET /v1/batches/batch_1"] = away
        found = await runs.ask()
        counts = await requests_of(runs.url)
    assert answered(found) == TEXTS
    assert (counts["requests"], counts["batch lines"]) == (1, 7)


async def test_a_batch_whose_making_nobody_heard_of_is_found(runs: Runs) -> None:
    async with simulated(runs.time) as endpoint:
        runs.url = endpoint.url
        endpoint.spoil["POST /v1/batches"] = lost
        with pytest.raises(KilledError):
            await runs.ask(killed_after_s=0)
        found = await runs.ask()
        assert (await requests_of(runs.url))["batches"] == 1
    assert answered(found) == TEXTS
    assert reservations(runs) == 0


async def test_killed_while_it_uploads_all_is_given_back_and_the_file_deleted(
    runs: Runs,
) -> None:
    runs.max_usd = 1.0
    async with simulated(runs.time) as endpoint:
        runs.url = endpoint.url
        arrived = asyncio.Event()

        async def hang(request: web.Request, handler: Handler) -> web.StreamResponse:
            await handler(request)
            arrived.set()
            await asyncio.Event().wait()
            raise AssertionError

        endpoint.spoil["POST /v1/files"] = hang
        task = asyncio.create_task(runs.ask())
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        endpoint.spoil.clear()
        assert reservations(runs) == 7
        found = await runs.ask()
    assert answered(found) == TEXTS
    assert endpoint.deleted[0] == "/v1/files/file-1"
    assert (reservations(runs), reservations(runs, "run.sqlite")) == (0, 0)
    assert totals_of(runs.state).calls == len(TEXTS)


async def test_killed_while_results_are_read_none_is_paid_twice(runs: Runs) -> None:
    async with simulated(runs.time, batch_faults={"expire": 0.3}, seed=1) as endpoint:
        runs.url = endpoint.url

        async def away(_request: web.Request, _handler: Handler) -> web.StreamResponse:
            return web.json_response({"error": {"message": "away"}}, status=503)

        endpoint.spoil["GET /v1/files/file-3/content"] = away  # the second file of results
        with pytest.raises(KilledError):
            await runs.ask(killed_after_s=0)
        assert 0 < reservations(runs) < 7
        endpoint.spoil.clear()
        found = await runs.ask()
        counts = await requests_of(runs.url)
    assert answered(found) == TEXTS
    assert counts["batches"] == 1
    assert counts["texts"] == len(TEXTS)  # what expired, live
    assert reservations(runs) == 0


@pytest.mark.parametrize(("when_late", "n_answers"), [("ask", 8), ("give_up", 1)])
async def test_what_expires_is_asked_live_or_told(
    runs: Runs, when_late: str, n_answers: int
) -> None:
    async with simulated(runs.time, batch_faults={"expire": 1}) as endpoint:
        runs.url = endpoint.url
        found = await runs.ask(batch={"when_late": when_late})
    assert len(answered(found)) == n_answers
    others = [one for one in found.values() if not isinstance(one, Answer)]
    assert all(isinstance(one, ExpiredError) for one in others)
    assert reservations(runs) == 0
    assert totals_of(runs.state).calls == n_answers


async def test_at_the_deadline_it_is_cancelled_and_its_answers_are_taken(runs: Runs) -> None:
    async with simulated(runs.time, batch_s=7000) as endpoint:
        runs.url = endpoint.url
        found = await runs.ask(batch={"when_late": "give_up", "deadline_s": 4000})
    assert 2 <= len(answered(found)) <= 6
    assert totals_of(runs.state).calls == len(answered(found))


async def test_a_line_of_another_name_or_a_second_one_is_passed_over(runs: Runs) -> None:
    async with simulated(runs.time, batch_faults={"double": 1, "strange": 1}) as endpoint:
        runs.url = endpoint.url
        found = await runs.ask()
    assert answered(found) == TEXTS
    assert totals_of(runs.state).calls == len(TEXTS)


async def test_a_line_of_which_nothing_is_heard_stays_reserved(runs: Runs) -> None:
    async with simulated(runs.time, batch_faults={"lose": 1}) as endpoint:
        runs.url = endpoint.url
        found = await runs.ask(batch={"when_late": "give_up"})
    assert answered(found) == TEXTS[:1]
    assert reservations(runs) == 7
    assert batches_of(runs.state) == []
    assert totals_of(runs.state).usd > 0


@pytest.mark.parametrize("fault", ["malformed", "refusal", "500", "null", "swapped"])
async def test_a_line_without_a_usable_answer_is_told_and_paid_as_a_live_call(
    runs: Runs, fault: str
) -> None:
    async with simulated(runs.time, faults={fault: 1}, retry_after=None) as endpoint:
        runs.url = endpoint.url
        found = await runs.ask(batch={"when_late": "give_up"})
    assert answered(found) == []
    assert batches_of(runs.state) == []
    if fault == "500":
        return
    assert totals_of(runs.state).calls == len(TEXTS)
    assert reservations(runs) == 0


async def test_the_budget_bounds_what_is_in_a_batch(runs: Runs) -> None:
    async with simulated(runs.time) as endpoint:
        runs.url = endpoint.url
        found = await runs.ask(budget_usd_per_day=0.006)
        counts = await requests_of(runs.url)
    assert totals_of(runs.state).usd <= 0.006
    assert counts["batches"] >= 2  # what one gave back paid for the next
    assert len(answered(found)) >= 3
    assert all(isinstance(one, Answer | BudgetExhaustedError) for one in found.values())


async def test_a_refused_batch_costs_nothing_and_says_why(runs: Runs) -> None:
    async with simulated(runs.time, batch_faults={"refuse": 1}) as endpoint:
        runs.url = endpoint.url
        with pytest.raises(TeacherPermanentError, match="token_limit_exceeded"):
            await runs.ask()
    assert totals_of(runs.state).calls == 1
    assert batches_of(runs.state) == []


async def test_an_endpoint_without_batches_is_told_of(runs: Runs) -> None:
    async with simulated(runs.time) as endpoint:
        runs.url = endpoint.url

        async def absent(_request: web.Request, _handler: Handler) -> web.StreamResponse:
            raise web.HTTPNotFound

        endpoint.spoil["POST /v1/files"] = absent
        with pytest.raises(TeacherPermanentError, match="no Batch API"):
            await runs.ask()
    assert reservations(runs) == 0


async def test_what_is_uploaded_is_redacted(runs: Runs) -> None:
    text = "Met Ada, write to ada@example.org"
    async with simulated(runs.time) as endpoint:
        runs.url = endpoint.url
        await runs.ask([TEXTS[0], text], redaction={"enabled": True, "kinds": ["email"]})
    line = json.loads(endpoint.uploads[0])
    told = line["body"]["messages"][-1]["content"]
    assert "ada@example.org" not in endpoint.uploads[0].decode()
    assert "[EMAIL_1]" in told


async def test_a_batch_stays_open_for_whoever_has_its_texts(runs: Runs) -> None:
    """Another take of requests, or the same file after another one."""
    async with simulated(runs.time, batch_s=600) as endpoint:
        runs.url = endpoint.url
        with pytest.raises(KilledError):
            await runs.ask(killed_after_s=120)
        some = await runs.ask(TEXTS[1:4], in_time=False)
        assert answered(some) == TEXTS[1:4]
        assert reservations(runs) == 4
        assert answered(await runs.ask(TEXTS[1:2], in_time=False)) == TEXTS[1:2]
        others = await runs.ask([TEXTS[0], *TEXTS[4:]], in_time=False)
        counts = await requests_of(runs.url)
    assert answered(others) == [TEXTS[0], *TEXTS[4:]]
    assert (counts["batches"], counts["texts"]) == (1, len(TEXTS))
    assert reservations(runs) == 0
    assert batches_of(runs.state) == []


async def test_after_a_day_what_nobody_had_the_text_of_is_booked_and_dropped(runs: Runs) -> None:
    async with simulated(runs.time, batch_s=600) as endpoint:
        runs.url = endpoint.url
        with pytest.raises(KilledError):
            await runs.ask(killed_after_s=120)
        runs.time.now_s += 2 * 86400 + 60
        await runs.ask(TEXTS[:1])
        assert (await requests_of(runs.url))["batches"] == 1
    assert reservations(runs) == 0
    assert batches_of(runs.state) == []
    assert totals_of(runs.state).calls == len(TEXTS)


async def test_a_file_that_the_provider_looks_through_first_is_waited_for(runs: Runs) -> None:
    async with simulated(runs.time) as endpoint:
        runs.url = endpoint.url

        async def pending(request: web.Request, handler: Handler) -> web.StreamResponse:
            response = await handler(request)
            assert isinstance(response, web.Response)
            assert response.text
            return web.json_response(json.loads(response.text) | {"status": "pending"})

        endpoint.spoil["POST /v1/files"] = pending
        assert answered(await runs.ask()) == TEXTS
    assert 5.0 in runs.time.slept_s


async def test_what_would_come_too_late_is_asked_live(runs: Runs) -> None:
    runs.purpose = "stream"
    async with simulated(runs.time, batch_s=600) as endpoint:
        runs.url = endpoint.url
        assert answered(await runs.ask(in_time=False)) == TEXTS
        assert (await requests_of(runs.url))["requests"] == len(TEXTS)


async def test_two_processes_do_not_wait_for_the_same_batches(runs: Runs) -> None:
    async with simulated(runs.time) as endpoint:
        runs.url = endpoint.url
        entered, go_on = asyncio.Event(), asyncio.Event()

        async def slow(request: web.Request, handler: Handler) -> web.StreamResponse:
            entered.set()
            await go_on.wait()
            return await handler(request)

        endpoint.spoil["POST /v1/files"] = slow
        first = asyncio.create_task(runs.ask())
        await entered.wait()
        with pytest.raises(ConfigError, match="another process"):
            await runs.ask()
        go_on.set()
        assert answered(await first) == TEXTS
