from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import BackError
from stream.cli.wizard.asking import Ask, Interview
from stream.cli.wizard.session import open_session


class Scripted:
    """A person who answers from a list, and takes defaults when that is at its end."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)
        self.asked: list[str] = []
        self.told: list[str] = []

    def answer(self, ask: Ask) -> Any:
        self.asked.append(ask.key)
        line = self.lines.pop(0) if self.lines else ""
        if line == "back":
            raise BackError
        return line or ask.default

    def tell(self, words: Any) -> None:
        self.told.append(str(words))


MakeInterview = Callable[..., Interview]


@pytest.fixture
def interview(tmp_path: Path) -> MakeInterview:
    """An interview on the session of the test's folder, with a person or their lines."""

    def make(person: Any, given: Mapping[str, Any] | None = None) -> Interview:
        return Interview(open_session(tmp_path), person, given or {})

    return make


@pytest.fixture
def scripted() -> type[Scripted]:
    return Scripted
