from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.files.task import Task
from schemas.settings import TeacherSettings
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.retries import Clock
from stream.teacher.spending import Purpose
from stream.testing.endpoints import TASK, MakeTeacher
from stream.testing.fake_time import FakeTime


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[TeacherStore]:
    """The store of every teacher of a test, opened beside it."""
    store = TeacherStore(tmp_path / "teacher.sqlite")
    yield store
    store.close()


@pytest.fixture
async def make_teacher(tmp_path: Path, fake_time: FakeTime) -> AsyncIterator[MakeTeacher]:
    made: list[OpenAITeacher] = []

    def make(
        url: str,
        *,
        clock: Clock | None = None,
        task: Task = TASK,
        purpose: Purpose = "stream",
        **options: Any,
    ) -> Any:
        settings = TeacherSettings.model_validate({"base_url": url, "max_attempts": 3, **options})
        store = TeacherStore(tmp_path / "teacher.sqlite")
        made.append(
            OpenAITeacher(
                task, settings, store=store, purpose=purpose, clock=clock or fake_time.clock
            )
        )
        return made[-1]

    yield make
    for teacher in made:
        await teacher.aclose()
