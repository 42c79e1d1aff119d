"""Asking the endpoint how the prompt could be better, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from schemas.errors import BudgetExhaustedError, TeacherUnavailableError
from schemas.files.task import TaskExample
from schemas.settings import TeacherSettings
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.prompt_edits import Edit, Mistake
from stream.teacher.prompt_parts import answer_json, extract_text
from stream.teacher.proposer import Proposer
from stream.testing.endpoints import TASK, always, answering, completion, faulty
from stream.testing.fake_time import FakeTime

MISTAKES = [Mistake(TaskExample("Met Ada"), frozenset({(4, 7, "PER")}), frozenset())]
EDIT = {"what": "guideline", "label": "", "text": "Names.", "number": 0, "why": ""}

MakeProposer = Callable[..., Proposer]


@pytest.fixture
async def make_proposer(tmp_path: Path, fake_time: FakeTime) -> AsyncIterator[MakeProposer]:
    made: list[Proposer] = []

    def make(url: str, **options: Any) -> Proposer:
        settings = TeacherSettings.model_validate({"base_url": url, "max_attempts": 3, **options})
        store = TeacherStore(tmp_path / "teacher.sqlite")
        made.append(Proposer(TASK, settings, store=store, clock=fake_time.clock))
        return made[-1]

    yield make
    for proposer in made:
        await proposer.aclose()


async def proposing(request: web.Request) -> web.Response:
    """Propose one edit, of what was asked."""
    body = await request.json()
    assert body["response_format"]["json_schema"]["name"] == "edits"
    text = extract_text(body["messages"]) or ""
    assert json.loads(text)[0]["text"] == "Met Ada"
    return completion(answer_json(text, {"edits": [EDIT]}))


async def test_what_is_proposed_is_booked_once_and_remembered(
    make_proposer: MakeProposer, ledger: TeacherStore
) -> None:
    async with answering(proposing) as url:
        first = await make_proposer(url).propose(TASK, MISTAKES)
    # The endpoint is gone: another proposer knows the answer all the same.
    second = await make_proposer(url).propose(TASK, MISTAKES)

    assert first == second == ([Edit("guideline", "Names.")], 0)
    totals = ledger.totals()
    assert (totals.calls, totals.tokens_in, totals.tokens_out) == (1, 10, 5)
    assert totals.usd == pytest.approx((10 * 0.4 + 5 * 1.6) / 1e6)


async def test_an_answer_that_is_none_is_paid_for_once(
    make_proposer: MakeProposer, ledger: TeacherStore
) -> None:
    async def respond(_request: web.Request) -> web.Response:
        return completion("I would rather not")

    async with answering(respond) as url:
        proposer = make_proposer(url)
        assert await proposer.propose(TASK, MISTAKES) == ([], 1)
        assert await proposer.propose(TASK, MISTAKES) == ([], 1)
    assert ledger.totals().calls == 1


async def test_what_may_pass_is_tried_again(make_proposer: MakeProposer) -> None:
    answers = [web.Response(status=503), web.Response(status=429)]

    async def respond(request: web.Request) -> web.Response:
        return answers.pop() if answers else await proposing(request)

    async with answering(respond) as url:
        assert len((await make_proposer(url).propose(TASK, MISTAKES))[0]) == 1


async def test_an_endpoint_that_fails_for_good_is_told_and_costs_nothing(
    make_proposer: MakeProposer, ledger: TeacherStore
) -> None:
    async with answering(always({"error": {"message": "no"}}, status=500)) as url:
        with pytest.raises(TeacherUnavailableError):
            await make_proposer(url).propose(TASK, MISTAKES)
    assert ledger.totals().usd == 0


async def test_nothing_is_asked_that_the_budget_does_not_grant(
    make_proposer: MakeProposer, ledger: TeacherStore
) -> None:
    async with faulty() as url:
        with pytest.raises(BudgetExhaustedError):
            await make_proposer(url, budget_usd_per_day=0.0001).propose(TASK, MISTAKES)
    assert ledger.totals().calls == 0
