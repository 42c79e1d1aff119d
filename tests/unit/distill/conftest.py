"""Small values for the tests of distill."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from distill.testing.fakes import Loop
from distill.testing.tiny_base import write_tiny_base
from schemas.files.task import LabelSpec, Task
from schemas.settings import Recipe
from schemas.types import Entity, LabelSource, SilverLabel
from stream.testing.messages import a_label

MakeLabel = Callable[..., SilverLabel]


@pytest.fixture
def task() -> Task:
    return Task(name="people", language="en", labels=(LabelSpec("PER"), LabelSpec("ORG")))


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Trains a student of one layer in a second or two, on words that its base knows."""
    words = ["ada", "sings", "bo", "here", "there"]
    return Recipe(
        base=str(write_tiny_base(tmp_path_factory.mktemp("base"), words=words)),
        layers=1,
        epochs=1,
        min_steps=200,
        learning_rate=1e-2,
        max_tokens=32,
        stride=8,
    )


@pytest.fixture
def make_label(task: Task) -> MakeLabel:
    """A label of `text`; without entities given, its first word is a PER."""

    def make(
        text: str,
        *,
        entities: tuple[Entity, ...] | None = None,
        source: LabelSource = "teacher",
        audit: bool = False,
        task_digest: str = task.digest,
        weight: float = 1.0,
        record_id: str | None = None,
        labelled_at_ms: int = 0,
    ) -> SilverLabel:
        word = text.split(maxsplit=1)[0] if text.split() else ""
        if record_id is None:
            record_id = "text-0-1" if source == "teacher" else ""
        return a_label(
            task=task.name,
            task_digest=task_digest,
            text=text,
            entities=entities if entities is not None else (Entity(0, len(word), "PER", word),),
            source=source,
            audit=audit,
            student_version="",
            record_id=record_id,
            weight=weight,
            labelled_at_ms=labelled_at_ms,
        )

    return make


@pytest.fixture
def loop(tmp_path: Path, task: Task, make_label: MakeLabel) -> Loop:
    return Loop(tmp_path, task, make_label)
