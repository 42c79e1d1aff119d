from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schemas.types import Choice, Doubt, Entity, EntityEvent, SilverLabel, TeacherRequest
from stream.teach.answering import answer_request
from stream.teacher.protocol import Answer, Unsure
from stream.testing.messages import a_request
from stream.testing.teachers import RecordedTeacher

STUDENTS = (Entity(0, 3, "LOC", "Ada", 0.4),)
TEACHERS = (Entity(0, 3, "PER", "Ada", 1.0),)
SLEEPS = Entity(4, 10, "PER", "sleeps")
IN_DOUBT = (Doubt(0, 3, (Choice("PER", 0.6), Choice("", 0.4))),)
REQUEST = a_request(
    task_digest="new",
    text="Ada sleeps",
    expires_at_ms=1000,
    entities=(*STUDENTS, replace(SLEEPS, confidence=0.95)),
    doubts=IN_DOUBT,
)


async def _unsure(request: TeacherRequest) -> tuple[EntityEvent, SilverLabel | None, list[Unsure]]:
    """Answer where doubts are asked about: "Ada" is one, and "sleeps" is none of them."""
    asked: list[Unsure] = []

    async def ask(_text: str, unsure: Unsure, /, *, expires_at_ms: int | None = None) -> Answer:
        assert expires_at_ms == request.expires_at_ms
        asked.append(unsure)
        found = (Entity(0, 3, "PER", "Ada"), SLEEPS)
        return Answer(found, "m", "pv", 5, 2, cached=False, asked="unsure")

    event, label = await answer_request(
        request,
        RecordedTeacher({request.text: TEACHERS}),
        task_digest="new",
        now_ms=lambda: 20,
        ask_unsure=ask,
    )
    return event, label, asked


async def test_what_the_student_is_unsure_of_may_be_asked_about_alone() -> None:
    event, label, asked = await _unsure(REQUEST)
    assert [(one.sure.entities, one.doubts) for one in asked] == [
        ((replace(SLEEPS, confidence=0.95),), IN_DOUBT)
    ]
    assert (event.decided_by, event.revision, event.confidence) == ("both", 2, 0.95)
    assert [(one.surface, one.confidence) for one in event.entities] == [
        ("Ada", 1.0),
        ("sleeps", 0.95),
    ]
    assert label is not None
    assert (label.asked, label.entities) == ("unsure", event.entities)


@pytest.mark.parametrize(
    "changes", [{"audit": True}, {"doubts": ()}, {"task_digest": "another task's"}]
)
async def test_audits_and_what_has_no_doubts_are_asked_about_whole(changes: Any) -> None:
    event, label, asked = await _unsure(replace(REQUEST, **changes))
    assert (event.decided_by, event.entities, asked) == ("teacher", TEACHERS, [])
    assert label is not None
    assert label.asked == ""
