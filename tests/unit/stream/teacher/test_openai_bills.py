"""What the client books and pays, over real HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from schemas.errors import (
    BudgetExhaustedError,
    SilverstreamError,
    TeacherUnavailableError,
)
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.prompt import render_answer
from stream.testing.endpoints import (
    ENTITIES,
    IMPATIENT,
    TEXT,
    MakeTeacher,
    always,
    answering,
    completion,
    fail,
    faulty,
    requests_of,
)
from stream.testing.fake_time import FakeTime


async def test_a_text_is_labelled_and_billed_from_the_usage(
    make_teacher: MakeTeacher, ledger: TeacherStore
) -> None:
    async with faulty() as url:
        teacher = make_teacher(url, model="gpt-x")
        answer = await teacher.label(TEXT)
    assert answer.entities == ENTITIES
    assert (answer.model, answer.cached) == ("gpt-x", False)
    assert answer.prompt_version == teacher.prompt_version
    totals = ledger.totals()
    assert (totals.calls, totals.tokens_in) == (1, answer.tokens_in)
    assert totals.usd == pytest.approx((answer.tokens_in * 0.4 + answer.tokens_out * 1.6) / 1e6)


async def test_a_call_whose_bill_got_lost_counts_in_full(
    make_teacher: MakeTeacher, ledger: TeacherStore
) -> None:
    async with faulty("hang") as url:
        teacher = make_teacher(url, max_attempts=1, max_output_tokens=1000, **IMPATIENT)
        await fail(teacher, TeacherUnavailableError)
    totals = ledger.totals()
    assert totals.calls == 1
    assert totals.usd >= 1000 * 1.6e-6


async def test_a_missing_bill_counts_as_the_most_it_could_be(make_teacher: MakeTeacher) -> None:
    async def respond(_request: web.Request) -> web.Response:
        return completion(render_answer(TEXT, ()), usage=None)

    async with answering(respond) as url:
        answer = await make_teacher(url, max_output_tokens=77).label(TEXT)
    assert answer.tokens_out == 77
    assert answer.tokens_in > 100


@pytest.mark.parametrize(
    "body",
    [
        {"choices": []},
        {"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 0}},
        {"choices": [{"finish_reason": "stop"}]},
        {"error": {"code": 500, "message": "busy"}},
        {"error": {"code": "rate_limit_exceeded"}, "choices": []},
        {"error": {"code": "context_length_exceeded"}},
        {"error": {"code": "content_filter"}},
        {"error": {"type": "authentication_error"}},
    ],
)
async def test_an_error_in_a_body_without_usage_costs_nothing(
    make_teacher: MakeTeacher, ledger: TeacherStore, body: Any
) -> None:
    async with answering(always(body)) as url:
        await fail(make_teacher(url, max_attempts=1), SilverstreamError)
    totals = ledger.totals()
    assert (totals.calls, totals.usd) == (0, 0.0)


async def test_what_a_failed_answer_used_is_booked(
    make_teacher: MakeTeacher, ledger: TeacherStore
) -> None:
    body = {"choices": [], "usage": {"prompt_tokens": 70, "completion_tokens": 30}}
    async with answering(always(body)) as url:
        await fail(make_teacher(url, max_attempts=2), TeacherUnavailableError)
    totals = ledger.totals()
    assert (totals.calls, totals.tokens_in, totals.tokens_out) == (2, 140, 60)


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 504), ({}, 524), ({"error": {"code": 504}}, 200), ({"error": {"code": "timeout"}}, 200)],
)
async def test_a_call_that_a_gateway_gave_up_on_counts_in_full(
    make_teacher: MakeTeacher, ledger: TeacherStore, body: Any, status: int
) -> None:
    async with answering(always(body, status=status)) as url:
        await fail(
            make_teacher(url, max_attempts=1, max_output_tokens=1000), TeacherUnavailableError
        )
    totals = ledger.totals()
    assert totals.calls == 1
    assert totals.usd >= 1000 * 1.6e-6


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
