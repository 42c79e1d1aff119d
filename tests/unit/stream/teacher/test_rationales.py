from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from schemas.errors import BudgetExhaustedError, ConfigError, InvalidAnswerError, RefusedError
from schemas.files.task import Task
from schemas.settings import Settings
from stream.teacher.kinds.said import Said
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.prompt import build_messages
from stream.teacher.prompt_parts import answer_code
from stream.teacher.rationales import MAX_CHARS, Reasons, ask_why, rationale_messages
from stream.teacher.store_looks import paid_to_teachers
from stream.testing.endpoints import (
    ENTITIES,
    MOOD_TASK,
    MOODS,
    TASK,
    TEXT,
    Respond,
    answering,
    completion,
)

KINDS = [(TASK, Said(entities=ENTITIES)), (MOOD_TASK, Said(categories=MOODS[TEXT]))]


def settings(url: str, folder: Path, **teacher: Any) -> Settings:
    values = {"base_url": url, "state": folder / "teacher.sqlite", **teacher}
    return Settings.model_validate({"teacher": values})


def saying(why: Any, *, code: str = answer_code(TEXT), **changes: Any) -> Respond:
    async def respond(_: web.Request) -> web.Response:
        return completion(json.dumps({"id": code, "why": why}), **changes)

    return respond


async def why(
    respond: Respond, folder: Path, *, task: Task = TASK, answer: Said = KINDS[0][1], **teacher: Any
) -> Reasons:
    async with answering(respond) as url:
        return await ask_why(task, settings(url, folder, **teacher), text=TEXT, answer=answer)


@pytest.mark.parametrize(("task", "answer"), KINDS)
def test_the_teacher_is_shown_what_it_was_asked_and_what_it_said(task: Task, answer: Said) -> None:
    *asked, said, question = rationale_messages(task, TEXT, answer)
    assert asked == build_messages(task, TEXT)
    assert said["role"] == "assistant"
    labels = [one.label for one in answer.entities] + [one.label for one in answer.categories]
    assert labels
    assert all(label in said["content"] for label in labels)
    assert answer_code(TEXT) in question["content"]
    assert TEXT not in question["content"]


@pytest.mark.parametrize(("task", "answer"), KINDS)
async def test_reasons_come_with_the_model_and_the_price(
    task: Task, answer: Said, tmp_path: Path
) -> None:
    found = await why(saying(" Ada is a name. "), tmp_path, task=task, answer=answer)
    assert (found.said, found.model) == ("Ada is a name.", "m")
    assert found.usd == pytest.approx((10 * 0.4 + 5 * 1.6) / 1e6)


async def test_the_call_is_booked_for_an_explanation(tmp_path: Path) -> None:
    await why(saying("Ada is a name."), tmp_path)
    with closing(TeacherStore(tmp_path / "teacher.sqlite")) as store:
        (row,) = store.spendings()
    assert (row.task, row.purpose, row.calls) == (TASK.name, "explain", 1)
    assert (row.tokens_in, row.tokens_out) == (10, 5)


async def test_the_budget_holds_for_it_too(tmp_path: Path) -> None:
    with pytest.raises(BudgetExhaustedError):
        await why(saying("Ada is a name."), tmp_path, budget_usd_per_day=0.0)


@pytest.mark.parametrize("said", ["", "  ", 7, None, ["Ada"]])
async def test_what_says_no_reason_is_no_answer(tmp_path: Path, said: Any) -> None:
    with pytest.raises(InvalidAnswerError):
        await why(saying(said), tmp_path)


async def test_reasons_for_another_text_are_no_answer(tmp_path: Path) -> None:
    with pytest.raises(InvalidAnswerError, match="another text"):
        await why(saying("Ada is a name.", code=answer_code("other")), tmp_path)


async def test_a_model_that_refuses_says_no_reasons(tmp_path: Path) -> None:
    async def refuse(_: web.Request) -> web.Response:
        message = {"role": "assistant", "content": None, "refusal": "no"}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        return completion("", choices=choices)

    with pytest.raises(RefusedError):
        await why(refuse, tmp_path)


async def test_endless_reasons_are_cut(tmp_path: Path) -> None:
    found = await why(saying("a" * (MAX_CHARS + 1)), tmp_path)
    assert len(found.said) == MAX_CHARS


async def test_of_several_teachers_the_one_that_answered_is_asked(tmp_path: Path) -> None:
    models: list[str] = []

    async def respond(request: web.Request) -> web.Response:
        models.append((await request.json())["model"])
        return await saying("It is a name.")(request)

    async with answering(respond) as url:
        several = Settings.model_validate(
            {
                "teacher": {"state": tmp_path / "teacher.sqlite"},
                "teachers": [{"name": x, "model": f"{x}-1", "base_url": url} for x in ("a", "b")],
            }
        )
        await ask_why(TASK, several, text=TEXT, answer=KINDS[0][1], teacher="b")
        with pytest.raises(ConfigError, match="the teacher c that answered"):
            await ask_why(TASK, several, text=TEXT, answer=KINDS[0][1], teacher="c")
    assert models == ["b-1"]
    assert [one.teacher for one in paid_to_teachers(tmp_path / "teacher.sqlite")] == ["b"]
