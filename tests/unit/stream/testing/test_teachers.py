from __future__ import annotations

import pytest

from schemas.errors import TeacherUnavailableError
from schemas.types import Category, Entity
from stream.testing.teachers import RecordedTeacher


async def test_it_raises_recorded_errors_and_lists_what_it_was_asked() -> None:
    ada = (Entity(0, 3, "PER", "Ada"),)
    teacher = RecordedTeacher({"Ada": ada, "busy": TeacherUnavailableError("later")})
    assert (await teacher.label("Ada")).entities == ada
    with pytest.raises(TeacherUnavailableError):
        await teacher.label("busy")
    assert teacher.asked == ["Ada", "busy"]


async def test_it_notes_that_it_was_closed() -> None:
    teacher = RecordedTeacher({})
    await teacher.aclose()
    assert teacher.closed


async def test_it_answers_categories_as_well() -> None:
    teacher = RecordedTeacher({"Ada": (Category("glad"),)})
    answer = await teacher.label("Ada")
    assert (answer.entities, answer.categories) == ((), (Category("glad"),))
