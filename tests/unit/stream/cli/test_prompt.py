"""`silverstream prompt`: which version is in use, and what is refused before anything is spent."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.files.corpus import Example, write_jsonl
from schemas.files.prompt_file import PromptVersion
from schemas.files.prompt_words import words_of
from schemas.files.task import LabelSpec, Task
from schemas.files.task_file import task_yaml
from schemas.files.task_in_use import asked_task, prompt_folder
from schemas.settings import Settings
from schemas.types import Entity
from stream.cli.main import main
from stream.teacher.prompt import prompt_version

TASK = Task("people", "en", (LabelSpec("PER", "People."),), guidelines="No titles.")
BETTER = replace(words_of(TASK), guidelines="Titles too.")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    file = tmp_path / "task.yaml"
    file.write_text(task_yaml(TASK), encoding="utf-8")
    monkeypatch.setenv("SILVERSTREAM_TASK", str(file))
    monkeypatch.setenv("SILVERSTREAM_TEACHER__STATE", str(tmp_path / "teacher.sqlite"))
    return Settings(task=file)


def ran(*arguments: str, code: int = 0) -> None:
    with pytest.raises(SystemExit) as end:
        main(["prompt", *arguments])
    assert end.value.code == code


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    ran("list", "--json")
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_without_versions_the_task_files_words_are_listed(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = listed(capsys)

    own = words_of(TASK).version
    assert (facts["in_use"], facts["task_file"]) == (own, own)
    assert [one["version"] for one in facts["versions"]] == [own]
    assert facts["versions"][0]["prompt_version"] == prompt_version(TASK)


def test_a_version_is_put_to_use_and_left_again(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    prompt_folder(settings, TASK).add(PromptVersion(BETTER, parent=words_of(TASK).version))
    ran("use", BETTER.version)

    assert words_of(asked_task(settings)) == BETTER
    facts = listed(capsys)
    assert facts["in_use"] == BETTER.version
    assert {one["version"] for one in facts["versions"]} == {
        BETTER.version,
        words_of(TASK).version,
    }

    ran("use", words_of(TASK).version, "--json")
    assert json.loads(capsys.readouterr().out)["before"] == BETTER.version
    assert asked_task(settings).guidelines == TASK.guidelines


def test_one_can_return_to_words_that_the_task_file_says_no_more(settings: Settings) -> None:
    prompt_folder(settings, TASK).add(PromptVersion(BETTER))
    ran("use", BETTER.version)
    settings.task.write_text(task_yaml(replace(TASK, guidelines="New.")), encoding="utf-8")
    ran("use", words_of(TASK).version)

    assert asked_task(settings).guidelines == "No titles."


def test_a_version_that_there_is_not_is_refused_and_nothing_changes(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    ran("use", "abc", code=2)

    assert "has no prompt 'abc'" in capsys.readouterr().err
    assert prompt_folder(settings, TASK).in_use() is None


def test_versions_are_shown_as_a_table(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    scores = {"keep": {"f1": 0.875}, "report": None}
    prompt = PromptVersion(BETTER, made_at="2026-01-02T03:04:05", why=("[/b] so",), scores=scores)
    prompt_folder(settings, TASK).add(prompt)
    ran("list")

    out = capsys.readouterr().out
    assert f"{BETTER.version}" in out
    assert "87.5%" in out
    assert "[/b] so" in out
    assert "(in use) (task file)" in out


def gold(folder: Path, n: int, label: str = "PER") -> str:
    path = folder / "gold.jsonl"
    write_jsonl(
        path, [Example(str(i), f"Ada {i}", (Entity(0, 3, label, "Ada"),)) for i in range(n)]
    )
    return str(path)


def test_too_little_gold_is_refused_before_anything_is_asked(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran("improve", gold(tmp_path, 12), code=2)

    assert "too few texts" in capsys.readouterr().err
    assert not prompt_folder(settings, TASK).path.exists()


def test_money_that_leaves_nothing_for_a_search_is_refused(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran("improve", gold(tmp_path, 60), "--max-usd", "0.001", code=2)
    assert "leave nothing for a search" in capsys.readouterr().err
    ran("improve", gold(tmp_path, 60), "--max-calls", "50", code=2)
    assert "leave nothing for a search" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["evaluate", "improve"])
def test_gold_of_another_task_is_refused(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    ran(command, gold(tmp_path, 60, "LOC"), code=2)

    assert "labels that task people lacks: LOC" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["run"], ["doctor"], ["bootstrap", "task.yaml"], ["prompt", "evaluate"]]
)
def test_whoever_asks_refuses_to_guess_which_words_are_meant(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    prompt_folder(settings, TASK).add(PromptVersion(BETTER))
    ran("use", BETTER.version)
    settings.task.write_text(task_yaml(replace(TASK, guidelines="New.")), encoding="utf-8")

    if command[0] == "prompt":
        command = [*command, gold(tmp_path, 1)]
    with pytest.raises(SystemExit) as end:
        main(command)
    assert end.value.code == 2
    assert f"were changed since prompt {BETTER.version}" in capsys.readouterr().err
