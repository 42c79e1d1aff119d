"""What a dialect is, and how one is made of words around an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from schemas.files.kind import Kind

Outcome = Literal["answer", "invalid", "refused", "retry", "permanent"]
"""What a client should make of it; `permanent`: a person must look."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response; a body with `choices` gets the members that every completion has."""

    body: dict[str, Any]
    status: int = 200


@dataclass(frozen=True, slots=True)
class Dialect:
    """`about` is its one line in the list of dialects."""

    name: str
    about: str
    outcome: Outcome
    speak: Callable[[str, str], Reply]
    kind: Kind | None = None
    """The kind whose answers alone can be said so; None for all."""

    def says(self, kind: Kind) -> bool:
        """Whether answers of this kind can be said so."""
        return self.kind in {None, kind}


def message(*, finish_reason: str = "stop", **parts: Any) -> Reply:
    """Make a completion of one choice, whose message has these parts."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": None, **parts},
        "finish_reason": finish_reason,
    }
    return Reply({"choices": [choice]})


Say = Callable[[str, str], str]
"""From the answer and its text to what the model says."""


def content(
    name: str, about: str, say: Say, *, outcome: Outcome = "answer", kind: Kind | None = None
) -> Dialect:
    """Make a dialect that says the answer in other words, where the content stands."""

    def speak(answer: str, text: str) -> Reply:
        return message(content=say(answer, text))

    return Dialect(name, about, outcome, speak, kind)
