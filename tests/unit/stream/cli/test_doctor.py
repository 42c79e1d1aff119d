from __future__ import annotations

from pathlib import Path

from schemas.errors import TopicError
from schemas.files.task import LabelSpec, Task
from schemas.settings import load_settings
from stream.cli.doctor import Question, examine, questions

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
    assert names == ["broker", "topics", "student", "teacher"]
    full = load_settings(None, schema_registry={"url": "http://localhost:1"})
    names = [one.name for one in questions(full, TASK)]
    assert names == ["broker", "transactions", "topics", "schema registry", "student", "teacher"]
