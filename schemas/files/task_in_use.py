"""The task as it is asked: the task file, in the words of the prompt version that is in use."""

from __future__ import annotations

from dataclasses import replace

from schemas.errors import ConfigError
from schemas.files.prompt_file import PromptFolder
from schemas.files.prompt_words import worded, words_of
from schemas.files.task import Task
from schemas.files.task_file import load_task
from schemas.settings import Settings
from schemas.types import text_digest


def asked_task(settings: Settings) -> Task:
    """Read the task file, and put it into the words that are in use.

    Raises `ConfigError` for files that cannot be read, and where the task file's words were
    changed since another version was put to use: nobody knows then which of the two is meant.
    """
    task = load_task(settings.task)
    folder = prompt_folder(settings, task)
    shown = tuple(
        sorted({text_digest(x.text) for one in folder.versions() for x in one.words.examples})
    )
    in_use = folder.in_use()
    if in_use is None:
        return replace(task, shown=shown) if shown else task
    if in_use.task_file != words_of(task).version:
        raise ConfigError(
            f"the words of {settings.task} were changed since prompt {in_use.version} was put to "
            f"use: silverstream prompt use {in_use.version} keeps it, silverstream prompt use "
            f"{words_of(task).version} asks in the task file's words"
        )
    return replace(worded(task, folder.read(in_use.version).words), shown=shown)


def prompt_folder(settings: Settings, task: Task) -> PromptFolder:
    """Name the folder of the task's prompt versions."""
    folder = settings.teacher.prompts or settings.task.parent / "prompts"
    return PromptFolder(folder / task.name, kind=task.kind)
