"""What a batch brings back over real HTTP, line by line."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from schemas.errors import (
    ExpiredError,
)
from stream.teacher.protocol import Answer
from stream.teacher.store_looks import batches_of, totals_of
from stream.testing.endpoints import requests_of
from tests.unit.stream.teacher.batches.batch_runs import (
    TEXTS,
    Handler,
    KilledError,
    Runs,
    answered,
    forget_one,
    reservations,
    simulated,
)


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


KNOWN_FORM: dict[str, Any] = {
    "response_format": "json_schema",
    "strict": "on",
    "limit_parameter": "max_tokens",
    "temperature": 0,
}
"""Of requests: then none is made live."""


@pytest.mark.parametrize("fault", ["malformed", "refusal", "500", "null", "swapped"])
async def test_a_line_without_a_usable_answer_is_told_and_paid_as_a_live_call(
    runs: Runs, fault: str
) -> None:
    async with simulated(runs.time, faults={fault: 1}, retry_after=None) as endpoint:
        runs.url = endpoint.url
        found = await runs.ask(batch={"when_late": "give_up"}, **KNOWN_FORM)
    assert answered(found) == []
    assert batches_of(runs.state) == []
    if fault == "500":
        return
    assert totals_of(runs.state).calls == len(TEXTS)
    assert reservations(runs) == 0
