"""What a teacher is: something that labels one text, or says why it did not."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Protocol

from schemas.types import AskedAs, Category, Doubt, Entity, facts
from stream.teacher.kinds.said import Said


@dataclass(frozen=True, slots=True)
class Answer:
    """A grounded answer and what it took.

    `entities` are sorted, do not overlap, and each `surface` is the text's own; `categories` are
    the task's own labels, as many as it asks for, sorted. One of the two is empty.
    `tokens_in` and `tokens_out` are those billed for this answer; they are 0 for
    an answer out of the cache. `model` is the name that the endpoint gave, `fingerprint` what
    it says of the system behind it, "" where it says nothing or the answer is out of the cache.
    `teacher` is which of several answered, by its name in the settings.
    """

    entities: tuple[Entity, ...]
    model: str
    prompt_version: str
    tokens_in: int
    tokens_out: int
    cached: bool
    categories: tuple[Category, ...] = ()
    fingerprint: str = ""
    asked: AskedAs = ""
    teacher: str = ""


@dataclass(frozen=True, slots=True)
class Unsure:
    """What a student says of a text: `sure` is what it is sure of, and in none of the `doubts`."""

    sure: Said
    doubts: tuple[Doubt, ...]

    @property
    def digest(self) -> str:
        """Name what is told of the student, 12 hexadecimal digits: how sure it is, is not."""
        told = [
            sorted(facts(self.sure)),
            [[one.start, one.end, sorted(x.label for x in one.choices)] for one in self.doubts],
        ]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]


class Teacher(Protocol):
    """Labels texts, one at a time; calls may run side by side."""

    async def label(self, text: str, *, expires_at_ms: int | None = None) -> Answer:
        """Ask what the task asks of `text`.

        Raises `RefusedError`, `InvalidAnswerError` or `BudgetExhaustedError` when
        there will be no answer, and `TeacherUnavailableError` when the retries
        are spent: then a later call may succeed. A busy teacher is waited for until
        `expires_at_ms` (Unix time), then `ExpiredError` is raised; without it, for
        some minutes.
        """
        ...

    async def check(self) -> None:
        """Ask the cheapest question that shows that the teacher answers; raises as `label`."""
        ...

    async def aclose(self) -> None:
        """Close connections and files."""
        ...
