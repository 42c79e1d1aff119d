"""What the client books with all who share the budget, over real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from schemas.errors import BudgetExhaustedError, ConfigError, TeacherUnavailableError
from schemas.settings import TeacherSettings
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.prompt import render_answer
from stream.teacher.shared_spend import view_of
from stream.testing.endpoints import (
    IMPATIENT,
    TASK,
    TEXT,
    Respond,
    always,
    answering,
    completion,
    fail,
    faulty,
)
from stream.testing.fake_time import FakeTime
from stream.testing.spend_topic import MemorySpendTopic

Make = Callable[..., AbstractAsyncContextManager[OpenAITeacher]]
_DAY = "2023-11-14"
"""That of `FakeTime`."""


@pytest.fixture
def make(tmp_path: Path, fake_time: FakeTime) -> Make:
    """Make a teacher on a machine of its own, which is closed after use."""

    def made(
        url: str, topic: MemorySpendTopic, *, machine: str = "a", **options: Any
    ) -> AbstractAsyncContextManager[OpenAITeacher]:
        settings = TeacherSettings.model_validate(
            {"base_url": url, "budget_holds_for": "cluster", "max_attempts": 3, **options}
        )
        return aclosing(
            OpenAITeacher(
                TASK,
                settings,
                store=TeacherStore(tmp_path / f"{machine}.sqlite"),
                purpose="stream",
                clock=fake_time.clock,
                spend_log=topic.log(),
            )
        )

    return made


def spent(topic: MemorySpendTopic) -> Any:
    return view_of(topic.records).spent("day", _DAY)


async def test_two_machines_ask_for_one_budget(make: Make) -> None:
    async def respond(_request: web.Request) -> web.Response:
        return completion(render_answer(TEXT, ()), usage=None)  # as much as it may be

    topic = MemorySpendTopic()
    async with answering(respond) as url:
        async with make(url, topic) as rich:
            answer = await rich.label(TEXT)
        usd = TeacherSettings().price_usd(answer.tokens_in, answer.tokens_out)
        limit = {"budget_usd_per_day": 2.5 * usd, "budget_share_apart": 0.0}
        async with make(url, topic, machine="b", **limit) as poor:
            assert (await poor.label(TEXT)).tokens_in == answer.tokens_in
            with pytest.raises(BudgetExhaustedError, match="by all together"):
                await poor.label(f"{TEXT}, Ada said, and in other towns besides")
    assert spent(topic).nano_usd == pytest.approx(2 * usd * 1e9, abs=2)


async def test_thoughts_and_retries_count(make: Make) -> None:
    """The first try tells an error and what it used, the second thinks beside its answer."""
    said = iter(
        [
            {"choices": [], "usage": {"prompt_tokens": 70, "completion_tokens": 30}},
            {
                "choices": [{"message": {"content": render_answer(TEXT, ())}}],
                "usage": {"prompt_tokens": 70, "completion_tokens": 30, "total_tokens": 600},
            },
        ]
    )

    async def respond(_request: web.Request) -> web.Response:
        return web.json_response(next(said))

    topic = MemorySpendTopic()
    async with answering(respond) as url, make(url, topic) as teacher:
        await teacher.label(TEXT)
    assert spent(topic).tokens == 100 + 600
    (row,) = [row for row in view_of(topic.records).rows if row.purpose == "stream" and row.calls]
    assert (row.calls, row.tokens_in, row.tokens_out) == (2, 140, 560)


@pytest.mark.parametrize(
    ("respond", "counts"),
    [
        (always({"choices": []}), 0),
        (always({"error": {"code": 429}}), 0),
        (always({}, status=504), 1),
        (always({}, status=401), 0),
    ],
)
async def test_what_may_have_cost_something_stands_and_what_did_not_is_given_back(
    make: Make, respond: Respond, counts: int
) -> None:
    topic = MemorySpendTopic()
    async with (
        answering(respond) as url,
        make(url, topic, max_attempts=1, max_output_tokens=1000) as teacher,
    ):
        await fail(teacher, TeacherUnavailableError)
    assert (spent(topic).nano_usd >= 1000 * 1600) == bool(counts)
    assert (spent(topic).nano_usd == 0) == (not counts)


async def test_a_call_that_nobody_answered_stands(make: Make) -> None:
    topic = MemorySpendTopic()
    async with faulty("hang") as url, make(url, topic, max_attempts=1, **IMPATIENT) as teacher:
        await fail(teacher, TeacherUnavailableError)
    assert spent(topic).nano_usd > 0


async def test_one_with_anothers_books_spends_by_them_and_leaves_them_open(
    make: Make, fake_time: FakeTime
) -> None:
    topic = MemorySpendTopic()
    async with faulty() as url, make(url, topic) as owner:
        guest = OpenAITeacher(
            TASK,
            TeacherSettings(base_url=url, budget_holds_for="cluster"),
            store=owner.books.store,
            purpose="canary",
            clock=fake_time.clock,
            books=owner.books,
        )
        await guest.label_anew(TEXT)
        await guest.aclose()
        await owner.label(TEXT)
    calls = {row.purpose: row.calls for row in view_of(topic.records).rows if row.calls}
    assert calls == {"stream": 1, "canary": 1}


async def test_a_budget_of_the_cluster_without_its_topic_is_refused(tmp_path: Path) -> None:
    settings = TeacherSettings(budget_holds_for="cluster")
    store = TeacherStore(tmp_path / "teacher.sqlite")
    with pytest.raises(ConfigError, match="budget_holds_for"):
        OpenAITeacher(TASK, settings, store=store, purpose="stream")
    store.close()


@pytest.mark.parametrize("name", ["budget_usd_per_hour", "budget_tokens_per_task"])
def test_finer_limits_need_the_topic(name: str) -> None:
    with pytest.raises(ValueError, match="budget_holds_for"):
        TeacherSettings.model_validate({name: 1})


async def test_a_topic_that_is_not_open_keeps_the_teacher_from_asking_and_says_so(
    make: Make,
) -> None:
    topic = MemorySpendTopic(records=[])
    async with faulty() as url, make(url, topic) as teacher:
        await fail(teacher, TeacherUnavailableError)
        assert "budget open" in (teacher.refusal or "")
