"""The teacher behind the search, over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiohttp import web

from distill.prompting.asking import AskedTeacher, expected_usd, open_asking
from schemas.errors import BudgetExhaustedError
from schemas.files.corpus import Example, write_jsonl
from schemas.files.prompt_words import words_of
from schemas.settings import Settings
from schemas.types import Entity
from stream.teacher.prompt import render_answer
from stream.teacher.prompt_parts import extract_text
from stream.teacher.purse import Purse
from stream.teacher.shared_spend import view_of
from stream.testing.endpoints import TASK, answering, completion
from stream.testing.spend_topic import MemorySpendTopic

T = TypeVar("T")

WORDS = words_of(TASK)
TEXTS = [Example("1", "Met Ada, then", ()), Example("2", "nonsense", ())]
FEW_SHOT = Example("3", "Bo came", (Entity(0, 2, "PER", "Bo"),))


async def respond(request: web.Request) -> web.Response:
    """Say that `Ada,` is a person, and of other texts what is no answer."""
    text = extract_text((await request.json())["messages"]) or ""
    said = render_answer(text, (Entity(4, 8, "PER", "Ada,"),)) if "Ada" in text else "what?"
    return completion(said)


async def asked(folder: Path, purse: Purse, ask: Callable[[AskedTeacher], T], **teacher: Any) -> T:
    """Ask in a thread: what asks has an event loop of its own."""
    write_jsonl(folder / "gold.jsonl", [FEW_SHOT])
    async with answering(respond) as url:
        settings = Settings.model_validate(
            {
                "teacher": {"base_url": url, "state": folder / "teacher.sqlite", **teacher},
                "distill": {"gold": folder / "gold.jsonl"},
            }
        )

        def in_thread() -> T:
            with open_asking(settings, TASK, purse, on_asked=lambda: None) as asking:
                return ask(asking)

        return await asyncio.to_thread(in_thread)


async def test_answers_are_fitted_to_words_and_refused_texts_have_none(tmp_path: Path) -> None:
    purse = Purse(max_usd=1.0)

    def ask(asking: AskedTeacher) -> Any:
        return asking.answers(WORDS, TEXTS), dict(asking.refused), asking.few_shot

    said, refused, few_shot = await asked(tmp_path, purse, ask)

    assert said == [{(4, 7, "PER")}, frozenset()]
    assert refused == {"invalid_answer": 1}
    assert few_shot == ()
    assert purse.calls == 2


async def test_the_teacher_is_shown_what_the_stream_shows_it(tmp_path: Path) -> None:
    told: list[int] = []

    async def counting(request: web.Request) -> web.Response:
        told.append(len((await request.json())["messages"]))
        return await respond(request)

    write_jsonl(tmp_path / "gold.jsonl", [FEW_SHOT])
    async with answering(counting) as url:
        teacher = {"base_url": url, "state": tmp_path / "teacher.sqlite", "few_shot": 1}
        distill = {"gold": tmp_path / "gold.jsonl"}
        settings = Settings.model_validate({"teacher": teacher, "distill": distill})

        def in_thread() -> None:
            with open_asking(settings, TASK, Purse(max_usd=1), on_asked=lambda: None) as asking:
                asking.answers(WORDS, TEXTS[:1])

        await asyncio.to_thread(in_thread)
    assert told == [4]


async def test_other_words_are_asked_anew_and_the_same_ones_are_not(tmp_path: Path) -> None:
    purse, heard = Purse(max_usd=1.0), list[int]()

    def ask(asking: AskedTeacher) -> None:
        asking.on_asked = lambda: heard.append(purse.calls)
        for words in (WORDS, WORDS, replace(WORDS, guidelines="Other.")):
            asking.answers(words, TEXTS[:1])

    await asked(tmp_path, purse, ask)

    assert heard == [1, 1, 2]


async def test_a_run_joins_the_shared_budget_once_and_finds_out_about_the_endpoint_once(
    tmp_path: Path,
) -> None:
    refusals = 0

    async def without_schemas(request: web.Request) -> web.Response:
        nonlocal refusals
        if (await request.json()).get("response_format", {}).get("type") == "json_schema":
            refusals += 1
            error = {"message": "response_format json_schema is not supported"}
            return web.json_response({"error": error}, status=400)
        return await respond(request)

    topic = MemorySpendTopic()
    async with answering(without_schemas) as url:
        settings = Settings.model_validate(
            {
                "teacher": {
                    "base_url": url,
                    "state": tmp_path / "teacher.sqlite",
                    "budget_holds_for": "cluster",
                    "budget_share_apart": 1.0,
                }
            }
        )

        def in_thread() -> None:
            with open_asking(
                settings, TASK, Purse(max_usd=1), on_asked=lambda: None, spend_log=topic.log()
            ) as asking:
                for number in range(3):
                    words = replace(WORDS, guidelines=f"Words {number}.")
                    asking.answers(words, TEXTS[:1])
                asking.proposals(WORDS, [])

        await asyncio.to_thread(in_thread)
    assert refusals == 2  # about texts, and about edits
    rows = [row for row in view_of(topic.records).rows if row.calls]
    assert (len({row.holder for row in rows}), sum(row.calls for row in rows)) == (1, 4)


async def test_a_spent_purse_is_told_and_what_was_answered_stays(tmp_path: Path) -> None:
    purse = Purse(max_usd=1.0, max_calls=1)
    ada = [Example(str(n), f"Met Ada, {n}", ()) for n in range(3)]

    def ask(asking: AskedTeacher) -> None:
        with pytest.raises(BudgetExhaustedError):
            asking.answers(WORDS, ada)
        asking.answers(WORDS, ada[:1])

    await asked(tmp_path, purse, ask, concurrency=1)

    assert purse.calls == 1


def test_what_is_kept_back_is_more_than_it_will_cost() -> None:
    settings = Settings()
    texts = ["Met Ada in Oslo"] * 100

    usd = expected_usd(settings, TASK, texts)

    assert usd > settings.teacher.price_usd(100 * 300, 100 * 40)
    assert expected_usd(settings, TASK, []) == 0
