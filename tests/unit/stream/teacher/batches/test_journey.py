"""A batch from upload to end over real HTTP: killed at each step, late, refused, forgotten."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing

import pytest
from aiohttp import web

from schemas.errors import (
    TeacherPermanentError,
)
from stream.teacher.store_looks import batches_of, totals_of
from stream.testing.endpoints import requests_of
from tests.unit.stream.teacher.batches.batch_runs import (
    TEXTS,
    Handler,
    KilledError,
    Runs,
    answered,
    forget_one,
    lost,
    reservations,
    simulated,
)


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


async def test_at_the_deadline_it_is_cancelled_and_its_answers_are_taken(runs: Runs) -> None:
    async with simulated(runs.time, batch_s=7000) as endpoint:
        runs.url = endpoint.url
        found = await runs.ask(batch={"when_late": "give_up", "deadline_s": 4000})
    assert 2 <= len(answered(found)) <= 6
    assert totals_of(runs.state).calls == len(answered(found))


async def test_a_refused_batch_costs_nothing_and_says_why(runs: Runs) -> None:
    async with simulated(runs.time, batch_faults={"refuse": 1}) as endpoint:
        runs.url = endpoint.url
        with pytest.raises(TeacherPermanentError, match="token_limit_exceeded"):
            await runs.ask()
    assert totals_of(runs.state).calls == 1
    assert batches_of(runs.state) == []


async def test_a_batch_stays_open_for_whoever_has_its_texts(runs: Runs) -> None:
    """Another take of requests, or the same file after another one."""
    async with simulated(runs.time, batch_s=600) as endpoint:
        runs.url = endpoint.url
        with pytest.raises(KilledError):
            await runs.ask(killed_after_s=120)
        some = await runs.ask(TEXTS[1:4], in_time=lambda _: False)
        assert answered(some) == TEXTS[1:4]
        assert reservations(runs) == 4
        assert answered(await runs.ask(TEXTS[1:2], in_time=lambda _: False)) == TEXTS[1:2]
        others = await runs.ask([TEXTS[0], *TEXTS[4:]], in_time=lambda _: False)
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
