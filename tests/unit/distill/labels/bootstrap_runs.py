"""A teacher by words, a list that takes labels, and texts to be labelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from schemas.errors import (
    BudgetExhaustedError,
    InvalidAnswerError,
    RefusedError,
    TeacherPermanentError,
    TeacherUnavailableError,
)
from schemas.files.corpus import Example
from schemas.types import Entity, SilverLabel
from stream.teacher.protocol import Answer

MakeLabel = Callable[..., SilverLabel]

ERRORS: dict[str, Exception] = {
    "refuse": RefusedError("no"),
    "break": InvalidAnswerError("not JSON"),
    "down": TeacherUnavailableError("503"),
    "unpaid": TeacherPermanentError("it answered 402"),
    "broke": BudgetExhaustedError("spent"),
}


@dataclass
class FakeTeacher:
    """Says that the first word is a PER, or fails as that word says."""

    asked: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def label(self, text: str, *, expires_at_ms: int | None = None) -> Answer:
        self.asked.append(text)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        word = text.split(maxsplit=1)[0]
        if word in ERRORS:
            raise ERRORS[word]
        return Answer((Entity(0, len(word), "PER", word),), "sim", "p1", 100, 10, cached=False)

    async def check(self) -> None: ...

    async def aclose(self) -> None: ...


class Sink(list[SilverLabel]):
    async def __call__(self, label: SilverLabel) -> None:
        self.append(label)


def examples(*texts: str) -> list[Example]:
    return [Example(str(n), text, ()) for n, text in enumerate(texts)]


def no_progress(_done: int, _total: int) -> None: ...
