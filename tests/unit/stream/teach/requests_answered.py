"""A request of a task, and a teacher that answers it or fails."""

from __future__ import annotations

import asyncio

from schemas.types import Entity
from stream.teacher.protocol import Answer
from stream.testing.messages import a_request

STUDENTS = (Entity(0, 3, "LOC", "Ada", 0.4),)
TEACHERS = (Entity(0, 3, "PER", "Ada", 1.0),)
REQUEST = a_request(
    task_digest="old",
    record_id="text-2-7",
    source_partition=2,
    key=b"k",
    headers=(("traceparent", b"00-aa"),),
    text="Ada sleeps",
    entities=STUDENTS,
    audit=True,
    policy_version="p1",
    expires_at_ms=1000,
)


class FakeTeacher:
    """Answers by text: an `Answer`, or an error to raise."""

    def __init__(self, **answers: Answer | Exception) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.expiries: list[int | None] = []

    async def label(self, text: str, *, expires_at_ms: int | None = None) -> Answer:
        self.asked.append(text)
        self.expiries.append(expires_at_ms)
        await asyncio.sleep(0)
        answer = self.answers.get(text, Answer(TEACHERS, "m", "pv", 11, 3, cached=False))
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def check(self) -> None:
        return

    async def aclose(self) -> None:
        return
