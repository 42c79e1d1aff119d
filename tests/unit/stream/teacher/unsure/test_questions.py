"""What a student is unsure of, asked about over real HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from aiohttp import web

from schemas.files.task import LabelSpec
from schemas.types import Category, Choice, Doubt, Entity
from stream.lab.teacher_sim.simulator import serving, teacher_sim_app
from stream.teacher.kinds.said import Said
from stream.teacher.prompt import render_answer
from stream.teacher.protocol import Unsure
from stream.teacher.unsure.marks import NONE
from stream.testing.endpoints import (
    ANSWERS,
    ENTITIES,
    MOOD_TASK,
    MOODS,
    TEXT,
    MakeTeacher,
    answering,
    completion,
    faulty,
    requests_of,
)

ADA, OSLO = ENTITIES
IN_DOUBT = Unsure(Said((OSLO,)), (Doubt(4, 7, (Choice("", 0.6), Choice("PER", 0.4))),))


async def test_doubts_are_asked_about_and_joined_with_what_is_sure(
    make_teacher: MakeTeacher,
) -> None:
    async with faulty() as url:
        teacher = make_teacher(url)
        answer = await teacher.label_unsure(TEXT, IN_DOUBT)
        again = await teacher.label_unsure(TEXT, IN_DOUBT)
        assert (await requests_of(url))["requests"] == 1
    assert (answer.entities, answer.asked) == (ENTITIES, "unsure")
    assert (again.entities, again.asked, again.cached) == (ENTITIES, "unsure", True)
    assert answer.prompt_version == teacher.prompt_version


async def test_an_answer_to_one_students_doubts_is_none_to_anothers(
    make_teacher: MakeTeacher,
) -> None:
    """What the first was sure of, and had wrong, would be taken for the teacher's word."""
    wrong = Unsure(Said((replace(OSLO, label="PER"),)), IN_DOUBT.doubts)
    surer = Unsure(IN_DOUBT.sure, (Doubt(4, 7, (Choice("PER", 0.7), Choice("", 0.3))),))
    async with faulty() as url:
        teacher = make_teacher(url)
        for unsure in (wrong, IN_DOUBT):
            answer = await teacher.label_unsure(TEXT, unsure)
            assert not answer.cached
        assert (await teacher.label_unsure(TEXT, surer)).cached  # told and asked the same


async def test_a_whole_answer_that_is_known_is_taken(make_teacher: MakeTeacher) -> None:
    async with faulty() as url:
        teacher = make_teacher(url)
        await teacher.label(TEXT)
        answer = await teacher.label_unsure(TEXT, IN_DOUBT)
    assert (answer.asked, answer.cached) == ("", True)


async def test_an_answer_about_doubts_is_none_about_the_whole(make_teacher: MakeTeacher) -> None:
    async with faulty() as url:
        teacher = make_teacher(url)
        await teacher.label_unsure(TEXT, IN_DOUBT)
        answer = await teacher.label(TEXT)
    assert (answer.asked, answer.cached) == ("", False)


async def test_doubts_are_asked_about_in_company(make_teacher: MakeTeacher) -> None:
    nobody = Unsure(Said(), (Doubt(0, 6, (Choice("PER", 0.5), Choice("", 0.5))),))
    async with serving(teacher_sim_app(ANSWERS)) as url:
        teacher = make_teacher(url, texts_per_call=3)
        answers = await asyncio.gather(
            teacher.label_unsure(TEXT, IN_DOUBT),
            teacher.label_unsure("Nobody here", nobody),
            teacher.label("Nobody here"),
            teacher.label(TEXT),
        )
        assert (await requests_of(url))["requests"] == 2
    assert [one.entities for one in answers] == [ENTITIES, (), (), ENTITIES]
    assert [one.asked for one in answers] == ["unsure several"] * 2 + ["several"] * 2


async def test_an_answer_that_is_none_is_asked_for_about_the_whole(
    make_teacher: MakeTeacher,
) -> None:
    told: list[str] = []

    async def respond(request: web.Request) -> web.Response:
        told.append((await request.json())["messages"][-1]["content"])
        return completion(render_answer(TEXT, ENTITIES))  # without places

    async with answering(respond) as url:
        answer = await make_teacher(url).label_unsure(TEXT, IN_DOUBT)
    assert ["<marks" in one for one in told] == [True, False]
    assert (answer.entities, answer.asked) == (ENTITIES, "")


async def test_none_of_the_choices_is_asked_about_whole(make_teacher: MakeTeacher) -> None:
    doubt = (Doubt(0, 0, (Choice("very angry", 0.9),)),)
    async with faulty(task=MOOD_TASK) as url:
        teacher = make_teacher(url, task=MOOD_TASK)
        answer = await teacher.label_unsure(TEXT, Unsure(Said(), doubt))
        assert (await requests_of(url))["requests"] == 2
        other = await teacher.label_unsure("Oh no", Unsure(Said(), doubt))
    assert (answer.categories, answer.asked) == (MOODS[TEXT], "")
    assert (other.categories, other.asked) == ((Category("very angry"),), "unsure")


async def test_a_label_that_reads_as_the_way_out_leaves_none(make_teacher: MakeTeacher) -> None:
    task = replace(MOOD_TASK, labels=(*MOOD_TASK.labels, LabelSpec(NONE, "No mood.")))
    doubt = (Doubt(0, 0, (Choice("glad", 0.9),)),)
    async with faulty(task=MOOD_TASK) as url:
        answer = await make_teacher(url, task=task).label_unsure(TEXT, Unsure(Said(), doubt))
    assert answer.asked == ""


async def test_what_is_personal_is_taken_out_of_the_marks_too(make_teacher: MakeTeacher) -> None:
    text, told = "Ask Ada at ada@example.org", list[Any]()
    mail = Entity(11, 26, "LOC", "ada@example.org")
    doubts = (Doubt(4, 7, (Choice("PER", 0.6),)),)

    async def respond(request: web.Request) -> web.Response:
        told.append(await request.text())
        return completion("{}")

    async with answering(respond) as url:
        teacher = make_teacher(url, redaction={"enabled": True, "kinds": ["email"]})
        await asyncio.gather(
            teacher.label_unsure(text, Unsure(Said((mail,)), doubts)), return_exceptions=True
        )
    assert len(told) == 2
    assert not any("example.org" in one for one in told)
