"""The lane of batches over real HTTP: what it answers and costs, and what goes in no batch."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from schemas.errors import (
    BudgetExhaustedError,
    ConfigError,
    TeacherPermanentError,
)
from schemas.settings import TeacherSettings
from stream.teacher.batches.lane import any_waits, has_lane
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.protocol import Answer
from stream.teacher.store_looks import batched_of, batches_of, totals_of
from stream.testing.endpoints import TASK, requests_of
from tests.unit.stream.teacher.batches.batch_runs import (
    ANSWERS,
    TEXTS,
    Handler,
    KilledError,
    Runs,
    answered,
    reservations,
    simulated,
)


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


async def test_the_budget_bounds_what_is_in_a_batch(runs: Runs) -> None:
    async with simulated(runs.time) as endpoint:
        runs.url = endpoint.url
        found = await runs.ask(budget_usd_per_day=0.006)
        counts = await requests_of(runs.url)
    assert totals_of(runs.state).usd <= 0.006
    assert counts["batches"] >= 2  # what one gave back paid for the next
    assert len(answered(found)) >= 3
    assert all(isinstance(one, Answer | BudgetExhaustedError) for one in found.values())


async def test_texts_that_there_is_no_money_for_are_not_all_looked_at_for_each(runs: Runs) -> None:
    looked: list[str] = []

    def in_time(text: str) -> bool:
        looked.append(text)
        return True

    async with simulated(runs.time) as endpoint:
        runs.url = endpoint.url
        found = await runs.ask(in_time=in_time, budget_usd_per_day=1e-6)
    assert all(isinstance(one, BudgetExhaustedError) for one in found.values())
    assert looked == [*found] == TEXTS


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


async def test_what_would_come_too_late_is_asked_live_and_so_is_what_an_earlier_batch_made_late(
    runs: Runs,
) -> None:
    runs.purpose = "stream"
    until_s = runs.time.now_s + 300
    async with simulated(runs.time, batch_s=600) as endpoint:
        runs.url = endpoint.url
        found = await runs.ask(
            in_time=lambda text: text != TEXTS[7] and runs.time.now_s < until_s,
            batch={"max_requests": 3},
        )
        counts = await requests_of(runs.url)
    assert answered(found) == TEXTS
    # Late from the start, the first, and what was left when the first batch had ended.
    assert (counts["batches"], counts["batch lines"], counts["requests"]) == (1, 3, 1 + 1 + 3)


async def test_an_endpoint_that_refuses_us_is_no_texts_outcome(runs: Runs) -> None:
    runs.purpose = "stream"
    async with simulated(runs.time) as endpoint:
        runs.url = endpoint.url
        await runs.ask(TEXTS[:2])
        tried = []

        async def refused(request: web.Request, _handler: Handler) -> web.StreamResponse:
            tried.append(request)
            raise web.HTTPUnauthorized

        endpoint.spoil["POST /v1/chat/completions"] = refused
        with pytest.raises(TeacherPermanentError):
            await runs.ask()
        assert len(tried) == 1
        assert answered(runs.found) == [*runs.found] == TEXTS[:2]
        endpoint.spoil.clear()
        assert answered(await runs.ask()) == TEXTS


async def test_a_text_that_breaks_the_endpoint_holds_up_no_other(runs: Runs) -> None:
    async with simulated(runs.time) as endpoint:
        runs.url = endpoint.url

        async def broken(request: web.Request, handler: Handler) -> web.StreamResponse:
            if TEXTS[0] in await request.text():
                raise web.HTTPInternalServerError
            return await handler(request)

        endpoint.spoil["POST /v1/chat/completions"] = broken
        assert answered(await runs.ask()) == TEXTS
        assert TEXTS[0] in endpoint.uploads[0].decode()


async def test_what_waits_is_read_though_nothing_goes_there_any_more(runs: Runs) -> None:
    runs.purpose = "stream"
    async with simulated(runs.time, batch_s=600) as endpoint:
        runs.url = endpoint.url
        with pytest.raises(KilledError):
            await runs.ask(killed_after_s=120)
        here = TeacherSettings.model_validate({"base_url": runs.url})
        elsewhere = TeacherSettings.model_validate({"base_url": "http://127.0.0.1:9/v1"})
        with closing(TeacherStore(runs.state)) as store:
            assert has_lane(store, here, task=TASK.name, purpose="stream")
            assert not has_lane(store, here, task=TASK.name, purpose="bootstrap")
            with capture_logs() as logs:
                assert not has_lane(store, elsewhere, task=TASK.name, purpose="stream")
                # Asked of each take of requests.
                assert not any_waits(store, elsewhere, task=TASK.name, purpose="stream")
            assert [entry["event"] for entry in logs] == ["batch_unread"]
            found = await runs.ask(batch={"purposes": []}, in_time=lambda _: False)
            assert not has_lane(store, here, task=TASK.name, purpose="stream")
        assert answered(found) == TEXTS
        assert (await requests_of(runs.url))["texts"] == len(TEXTS)


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
