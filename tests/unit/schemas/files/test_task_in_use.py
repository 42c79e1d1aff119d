"""The task as it is asked: the task file in the words in use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from schemas.errors import ConfigError
from schemas.files.prompt_file import InUse, PromptVersion
from schemas.files.prompt_words import words_of
from schemas.files.task import LabelSpec, Task, TaskExample
from schemas.files.task_file import task_yaml
from schemas.files.task_in_use import asked_task, prompt_folder
from schemas.settings import Settings
from schemas.types import text_digest

TASK = Task("people", "en", (LabelSpec("PER", "People."),), guidelines="No titles.")
WORDS = replace(words_of(TASK), guidelines="Titles too.", examples=(TaskExample("Nobody"),))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "task.yaml"
    file.write_text(task_yaml(TASK), encoding="utf-8")
    return Settings(task=file)


def test_without_versions_the_task_file_is_asked(settings: Settings) -> None:
    assert asked_task(settings) == TASK


def test_the_version_in_use_is_asked(settings: Settings) -> None:
    folder = prompt_folder(settings, TASK)
    folder.add(PromptVersion(WORDS))
    folder.use(InUse(WORDS.version, words_of(TASK).version))

    task = asked_task(settings)

    assert words_of(task) == WORDS
    assert task.digest == TASK.digest


def test_texts_that_any_version_shows_are_known_whichever_is_in_use(settings: Settings) -> None:
    prompt_folder(settings, TASK).add(PromptVersion(WORDS))

    task = asked_task(settings)

    assert words_of(task) == words_of(TASK)
    assert task.shown_texts == {text_digest("Nobody")}


def test_versions_lie_beside_the_task_file_or_where_the_settings_say(
    settings: Settings, tmp_path: Path
) -> None:
    elsewhere = settings.teacher.model_copy(update={"prompts": tmp_path / "elsewhere"})

    assert prompt_folder(settings, TASK).path == tmp_path / "prompts/people"
    moved = settings.model_copy(update={"teacher": elsewhere})
    assert prompt_folder(moved, TASK).path == tmp_path / "elsewhere/people"


def test_a_task_file_that_was_edited_since_leaves_open_which_words_are_meant(
    settings: Settings,
) -> None:
    folder = prompt_folder(settings, TASK)
    folder.add(PromptVersion(WORDS))
    folder.use(InUse(WORDS.version, words_of(TASK).version))
    edited = replace(TASK, guidelines="No titles, ever.")
    settings.task.write_text(task_yaml(edited), encoding="utf-8")

    with pytest.raises(ConfigError, match=rf"changed since .* use {words_of(edited).version}"):
        asked_task(settings)
