from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from schemas.errors import TopicError
from schemas.files.task import LabelSpec, Task, TaskExample
from schemas.settings import load_settings
from stream.cli.doctor import Question, examine, questions
from stream.teacher.prompt import render_answer
from stream.testing.endpoints import MOOD_TASK, answering, completion, faulty

TASK = Task("test", "en", (LabelSpec("PER"),))


async def _fine() -> str:
    return "fine"


async def _broken() -> str:
    raise TopicError("topic x is missing")


async def test_a_question_that_needs_a_failed_one_is_skipped() -> None:
    findings = await examine(
        [
            Question("broker", _fine),
            Question("topics", _broken, needs="broker"),
            Question("student", _fine, needs="topics"),
            Question("teacher", _fine),
        ]
    )
    assert [(f.check, f.outcome) for f in findings] == [
        ("broker", "ok"),
        ("topics", "failed"),
        ("student", "skipped"),
        ("teacher", "ok"),
    ]
    assert findings[1].detail == "topic x is missing"


def test_what_is_checked_follows_from_the_settings(tmp_path: Path) -> None:
    plain = load_settings(None, kafka={"delivery": "at_least_once"})
    names = [one.name for one in questions(plain, TASK)]
    assert names == ["broker", "topics", "store", "student", "teacher"]
    full = load_settings(None, schema_registry={"url": "http://localhost:1"})
    names = [one.name for one in questions(full, TASK)]
    assert names == [
        "broker",
        "transactions",
        "topics",
        "schema registry",
        "store",
        "student",
        "teacher",
    ]


async def test_each_of_several_teachers_is_asked(tmp_path: Path) -> None:
    async with faulty(task=MOOD_TASK) as url, faulty("401", task=MOOD_TASK) as shut:
        settings = load_settings(
            None,
            teacher={"state": str(tmp_path / "t.sqlite")},
            teachers=[
                {"name": "best", "base_url": url, "model": "big"},
                {"name": "other", "base_url": shut, "model": "small"},
            ],
        )
        asked = [x for x in questions(settings, MOOD_TASK) if x.name.startswith("teacher")]
        best, other = await examine(asked)
    assert (best.check, best.outcome) == ("teacher best", "ok")
    assert best.detail.startswith("big answers")
    assert (other.check, other.outcome) == ("teacher other", "failed")


async def test_it_shows_the_store_and_no_secret_of_it(tmp_path: Path) -> None:
    student = {"registry": "memory://me:secret@doctor/models", "cache": str(tmp_path)}
    asked = questions(load_settings(None, student=student), TASK)
    (finding,) = await examine([one for one in asked if one.name == "store"])
    assert finding.outcome == "ok"
    assert finding.detail.startswith("memory://doctor/models: 0 bundles of")


async def test_it_says_what_it_found_out_of_the_teacher(tmp_path: Path) -> None:
    async def respond(request: web.Request) -> web.Response:
        body = await request.json()
        if "temperature" in body:
            fault = {"message": "'temperature' is unsupported", "param": "temperature"}
            return web.json_response({"error": fault}, status=400)
        return completion(render_answer("Hello.", ()), usage=None)

    async with answering(respond) as url:
        teacher = {"base_url": url, "model": "other", "state": str(tmp_path / "t.sqlite")}
        (asked,) = [
            one
            for one in questions(load_settings(None, teacher=teacher), TASK)
            if one.name == "teacher"
        ]
        (finding,) = await examine([asked])
    assert finding.outcome == "ok"
    for part in ("other answers", "temperature: now none", "no usage", "prices of gpt-4.1-mini"):
        assert part in finding.detail


async def test_a_teacher_of_categories_is_asked_one_question_too(tmp_path: Path) -> None:
    async with faulty(task=MOOD_TASK) as url:
        teacher = {"base_url": url, "state": str(tmp_path / "t.sqlite")}
        asked = questions(load_settings(None, teacher=teacher), MOOD_TASK)
        (finding,) = await examine([one for one in asked if one.name == "teacher"])
    assert finding.outcome == "ok", finding.detail


@pytest.mark.parametrize(
    ("n", "share", "outcome"), [(3, "auto", "failed"), (3, 0.4, "ok"), (5, "auto", "ok")]
)
async def test_gold_that_is_too_little_to_judge_alone_is_told(
    tmp_path: Path, n: int, share: float | str, outcome: str
) -> None:
    gold = tmp_path / "gold.jsonl"
    gold.write_text("".join(f'{{"id": "{i}", "text": "a{i}", "entities": []}}\n' for i in range(n)))
    distill = {"gold": str(gold), "gate": {"min_records": 5}, "judging": {"share": share}}

    asked = {one.name: one for one in questions(load_settings(None, distill=distill), TASK)}
    (found,) = await examine([asked["gold"]])

    assert found.outcome == outcome
    assert ("distill.judging.share" in found.detail) is (outcome == "failed")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"id": "4", "text": "shown", "entities": []}', "4 texts of"),
        (
            '{"id": "4", "text": "a4", "entities": [{"start": 0, "end": 2, "label": "X"}]}',
            "lacks: X",
        ),
    ],
)
async def test_gold_judges_as_in_a_round(tmp_path: Path, line: str, told: str) -> None:
    """What the teacher is shown judges nobody, and labels must be the task's."""
    gold = tmp_path / "gold.jsonl"
    others = [f'{{"id": "{i}", "text": "a{i}", "entities": []}}' for i in range(4)]
    gold.write_text("\n".join([*others, line]))
    distill = {"gold": str(gold), "gate": {"min_records": 5}}
    task = replace(TASK, examples=(TaskExample("shown", ()),))

    asked = {one.name: one for one in questions(load_settings(None, distill=distill), task)}
    (found,) = await examine([asked["gold"]])

    assert found.outcome == "failed"
    assert told in found.detail
