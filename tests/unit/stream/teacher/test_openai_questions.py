"""Questions that are not about one text, over real HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from schemas.errors import BudgetExhaustedError, InvalidAnswerError, RefusedError
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.prompt_parts import answer_json
from stream.teacher.question import Question
from stream.testing.endpoints import MakeTeacher, answering, completion, faulty

QUESTION = Question("names", "List names.", {"label": "PER"}, {"names": {"type": "array"}})
VARIED = Question(
    "names", "List names.", {"label": "PER"}, {"names": {"type": "array"}}, varied=True
)


def told(**members: Any) -> web.Response:
    return completion(answer_json(QUESTION.text, members))


async def test_the_members_of_the_answer_are_given_and_the_call_is_booked(
    make_teacher: MakeTeacher, ledger: TeacherStore
) -> None:
    async def respond(_: web.Request) -> web.Response:
        return told(names=["Ada"])

    async with answering(respond) as url:
        members = await make_teacher(url).ask(QUESTION)
    assert members["names"] == ["Ada"]
    assert (ledger.totals().calls, ledger.totals().tokens_in) == (1, 10)


async def test_the_question_has_a_form_and_a_length_of_its_own(make_teacher: MakeTeacher) -> None:
    asked: list[dict[str, Any]] = []

    async def respond(request: web.Request) -> web.Response:
        asked.append(await request.json())
        return told(names=[])

    async with answering(respond) as url:
        teacher = make_teacher(url, max_output_tokens=99, reasoning_tokens=7)
        await teacher.ask(QUESTION)
        await teacher.ask(VARIED)
        await make_teacher(url, temperature=0.3).ask(VARIED)
    form = asked[0]["response_format"]["json_schema"]
    assert form["name"] == "names"
    assert set(form["schema"]["properties"]) == {"id", "names"}
    assert asked[0]["max_tokens"] == 2048 + 7
    # What is to vary takes the server's own temperature, unless the settings fix one.
    assert [one.get("temperature") for one in asked] == [0, None, 0.3]


async def test_what_may_pass_is_tried_again(make_teacher: MakeTeacher) -> None:
    answers = [web.json_response({}, status=500), told(names=["Bo"])]

    async def respond(_: web.Request) -> web.Response:
        return answers.pop(0)

    async with answering(respond) as url:
        assert (await make_teacher(url).ask(QUESTION))["names"] == ["Bo"]


async def test_the_answer_to_another_question_is_none(make_teacher: MakeTeacher) -> None:
    async def respond(_: web.Request) -> web.Response:
        return completion(json.dumps({"id": "00000000", "names": []}))

    async with answering(respond) as url:
        with pytest.raises(InvalidAnswerError, match="code"):
            await make_teacher(url).ask(QUESTION)


async def test_a_refusal_is_one_of_the_question_too(make_teacher: MakeTeacher) -> None:
    async with faulty() as url:
        with pytest.raises(RefusedError):
            await make_teacher(url).ask(QUESTION)


async def test_the_budget_is_reserved_before_the_call(make_teacher: MakeTeacher) -> None:
    async with faulty() as url:
        with pytest.raises(BudgetExhaustedError):
            await make_teacher(url, budget_usd_per_day=0.001).ask(QUESTION)
