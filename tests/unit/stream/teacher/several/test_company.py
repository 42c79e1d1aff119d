"""Several texts in one call, over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from aiohttp import web

from schemas.errors import BudgetExhaustedError, InvalidAnswerError, RefusedError
from schemas.files.task import TaskExample
from schemas.question_keys import question_key
from schemas.settings import TeacherSettings
from schemas.types import Category, Entity
from stream.lab.teacher_sim.faults import SimulatorSettings
from stream.lab.teacher_sim.simulator import serving, teacher_sim_app
from stream.teacher.kinds.kind import kind_of
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.protocol import Answer
from stream.teacher.similarity import Scores, SimilarExamples
from stream.teacher.spending import Spending
from stream.testing.endpoints import (
    MOOD_TASK,
    TASK,
    MakeTeacher,
    answering,
    completion,
    requests_of,
)

NAMES = ["Ada", "Bo", "Cy", "Di", "Ed"]
TEXTS = [f"{name} sang {'very ' * at}loud" for at, name in enumerate(NAMES)]
ANSWERS = {
    text: (Entity(0, len(name), "PER", name),) for text, name in zip(TEXTS, NAMES, strict=True)
}


async def labelled(teacher: Any, texts: list[str]) -> list[Answer | BaseException]:
    return [*await asyncio.gather(*map(teacher.label, texts), return_exceptions=True)]


def entities(answers: list[Answer | BaseException]) -> list[Any]:
    return [one.entities if isinstance(one, Answer) else type(one) for one in answers]


def stream_row(ledger: TeacherStore) -> Spending:
    (row,) = ledger.spendings()
    return row


async def test_texts_that_wait_together_are_asked_about_in_one_call(
    make_teacher: MakeTeacher, ledger: TeacherStore
) -> None:
    async with serving(teacher_sim_app(ANSWERS)) as url:
        teacher = make_teacher(url, texts_per_call=4)
        answers = await labelled(teacher, TEXTS)
        asked = await requests_of(url)
    assert entities(answers) == list(ANSWERS.values())
    assert asked["requests"] == 2  # four, and the last one that nobody joined
    assert [one.asked for one in answers if isinstance(one, Answer)] == ["several"] * 4 + [""]
    row = stream_row(ledger)
    assert (row.calls, row.questions) == (2, 5)
    tokens = [(one.tokens_in, one.tokens_out) for one in answers if isinstance(one, Answer)]
    assert [row.tokens_in, row.tokens_out] == [sum(each) for each in zip(*tokens, strict=True)]


async def test_each_question_has_its_part_of_the_bill(
    make_teacher: MakeTeacher, ledger: TeacherStore
) -> None:
    async with serving(teacher_sim_app(ANSWERS)) as url:
        teacher = make_teacher(url, texts_per_call=5)
        answers = await labelled(teacher, TEXTS)
    found = []
    for text, answer in zip(TEXTS, answers, strict=True):
        assert isinstance(answer, Answer)
        key = question_key(
            text,
            prompt_version=teacher.prompt_version,
            model="gpt-4.1-mini",
            endpoint=url,
            asked="several",
        )
        asked = ledger.asked(key)
        assert asked is not None
        assert (asked.calls, asked.tokens_in) == (1, answer.tokens_in)
        found.append(asked.usd)
    assert sum(found) == pytest.approx(ledger.totals().usd)
    assert found[1:] == sorted(found[1:])  # the longer the text, the dearer


async def test_what_was_answered_in_company_is_not_asked_again(make_teacher: MakeTeacher) -> None:
    async with serving(teacher_sim_app(ANSWERS)) as url:
        await labelled(make_teacher(url, texts_per_call=5), TEXTS)
        again = await labelled(make_teacher(url, texts_per_call=5), TEXTS[::-1])
        assert (await requests_of(url))["requests"] == 1
    assert {(one.asked, one.cached) for one in again if isinstance(one, Answer)} == {
        ("several", True)
    }


async def test_the_same_text_twice_is_asked_about_once(make_teacher: MakeTeacher) -> None:
    async with serving(teacher_sim_app(ANSWERS)) as url:
        answers = await labelled(make_teacher(url, texts_per_call=3), [*TEXTS[:2], TEXTS[0]])
        counts = await requests_of(url)
    assert entities(answers) == [*list(ANSWERS.values())[:2], ANSWERS[TEXTS[0]]]
    assert (counts["requests"], counts["texts"]) == (1, 2)


@pytest.mark.parametrize(
    ("fault", "again"),
    [
        ("missing-part", 1),
        ("doubled-part", 1),
        ("misnumbered-part", 2),
        ("swapped", 4),  # it is the answer to the first
        ("filtered", 5),
        ("malformed", 0),  # the answers stand in it all the same
    ],
)
async def test_what_company_spoils_is_asked_again_alone(
    make_teacher: MakeTeacher, fault: Any, again: int
) -> None:
    """The simulator spoils the first call alone: a lone text has no parts to be spoilt."""
    spoiling = SimulatorSettings(faults={fault: 1.0})
    async with AsyncExitStack() as stack:
        spoilt = await stack.enter_async_context(serving(teacher_sim_app(ANSWERS, spoiling)))
        sound = await stack.enter_async_context(serving(teacher_sim_app(ANSWERS)))
        left = [spoilt]

        async def respond(request: web.Request) -> web.Response:
            to = left.pop() if left else sound
            async with httpx.AsyncClient() as client:
                said = await client.post(f"{to}/chat/completions", json=await request.json())
            return web.json_response(said.json(), status=said.status_code)

        between = await stack.enter_async_context(answering(respond))
        answers = await labelled(make_teacher(between, texts_per_call=5), TEXTS)
        counts = await requests_of(sound)
    assert entities(answers) == list(ANSWERS.values())
    assert counts.get("requests", 0) == again


async def test_a_text_that_is_refused_takes_no_other_with_it(make_teacher: MakeTeacher) -> None:
    known = {text: said for text, said in ANSWERS.items() if text != TEXTS[2]}
    wrong = {**known, TEXTS[0]: (Entity(0, 3, "DOG", "Ada"),)}  # a label that nobody asked for
    async with serving(teacher_sim_app(wrong)) as url:
        answers = await labelled(make_teacher(url, texts_per_call=5), TEXTS)
    right = [ANSWERS[text] for text in TEXTS]
    assert entities(answers) == [InvalidAnswerError, right[1], RefusedError, right[3], right[4]]


async def test_a_budget_that_has_no_room_for_company_may_have_some_for_one(
    make_teacher: MakeTeacher, ledger: TeacherStore
) -> None:
    async with serving(teacher_sim_app(ANSWERS)) as url:
        # What one text reserves, whose answer may have 1,024 tokens, but not what five do.
        teacher = make_teacher(url, texts_per_call=5, budget_usd_per_day=0.0024)
        answers = await labelled(teacher, TEXTS)
    assert BudgetExhaustedError in entities(answers)
    assert any(isinstance(one, Answer) for one in answers)
    assert ledger.totals().usd <= 0.0024


async def test_company_is_as_large_as_the_answer_has_room_for(make_teacher: MakeTeacher) -> None:
    async with serving(teacher_sim_app(ANSWERS)) as url:
        # An answer about such a text takes some 42 tokens, with room for half as much again.
        await labelled(make_teacher(url, texts_per_call=5, max_output_tokens=150), TEXTS)
        assert (await requests_of(url))["requests"] == 3


@pytest.mark.parametrize(("choose", "requests"), [("fixed", 1), ("similar", 2)])
async def test_examples_that_are_chosen_for_each_take_room_too(
    tmp_path: Path, choose: str, requests: int
) -> None:
    """What is the same for all is told in any case; what is not would fill any context."""
    pool = [TaskExample(f"{name} {'la ' * 3000}") for name in NAMES[:2]]
    async with serving(teacher_sim_app(ANSWERS)) as url:
        teacher = OpenAITeacher(
            TASK,
            TeacherSettings(base_url=url, texts_per_call=2),
            store=TeacherStore(tmp_path / "teacher.sqlite"),
            purpose="stream",
            examples=pool if choose == "fixed" else (),
            similar=None if choose == "fixed" else SimilarExamples(pool, 1, likeness=_by_name),
        )
        await labelled(teacher, TEXTS[:2])
        assert (await requests_of(url))["requests"] == requests
        await teacher.aclose()


def _by_name(pool: Sequence[str]) -> Callable[[str], Scores]:
    def like(text: str) -> Scores:
        return np.array([one.startswith(text[:2]) for one in pool], dtype=np.float32)

    return like


async def test_a_lost_call_is_tried_again_together(make_teacher: MakeTeacher) -> None:
    tries = []

    async def respond(request: web.Request) -> web.Response:
        tries.append(await request.json())
        return completion("", choices=[]) if len(tries) == 1 else completion("{}")

    async with answering(respond) as url:
        await labelled(make_teacher(url, texts_per_call=5, max_attempts=2), TEXTS)
    assert tries[0] == tries[1]
    assert len(tries) == 2 + len(TEXTS)


async def test_categories_are_asked_in_company_too(make_teacher: MakeTeacher) -> None:
    moods = {text: (Category(["glad", "very angry"][at % 2]),) for at, text in enumerate(TEXTS)}
    async with serving(teacher_sim_app(moods, kind=kind_of("categories", "one"))) as url:
        answers = await labelled(make_teacher(url, task=MOOD_TASK, texts_per_call=5), TEXTS)
        assert (await requests_of(url))["requests"] == 1
    assert [one.categories for one in answers if isinstance(one, Answer)] == list(moods.values())


async def test_a_question_of_those_who_judge_is_asked_alone(make_teacher: MakeTeacher) -> None:
    async with serving(teacher_sim_app(ANSWERS)) as url:
        teacher = make_teacher(url, texts_per_call=5, purpose="judging")
        answers = await labelled(teacher, TEXTS[:2])
        assert (await requests_of(url))["requests"] == 2
    assert [one.asked for one in answers if isinstance(one, Answer)] == ["", ""]


async def test_an_audit_is_asked_about_alone(make_teacher: MakeTeacher) -> None:
    """In company the teacher is less careful, and other texts of strangers stand beside it."""
    async with serving(teacher_sim_app(ANSWERS)) as url:
        teacher = make_teacher(url, texts_per_call=5)
        answers = await asyncio.gather(
            teacher.label(TEXTS[0]), teacher.label_alone(TEXTS[1]), teacher.label(TEXTS[2])
        )
        assert (await requests_of(url))["requests"] == 2
    assert [one.asked for one in answers] == ["several", "", "several"]
