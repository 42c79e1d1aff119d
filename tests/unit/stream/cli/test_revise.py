from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.files.task import LabelSpec, Task
from schemas.files.task_file import task_yaml
from stream.cli.main import main

RANGE = ["--from", "2020-01-01", "--to", "2100-01-01"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    task = tmp_path / "task.yaml"
    task.write_text(task_yaml(Task("test", "en", (LabelSpec("PER"),))), encoding="utf-8")
    file = tmp_path / "settings.yaml"
    file.write_text(json.dumps({"task": str(task)}), encoding="utf-8")
    return file


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command, which is refused before a broker is looked for; give the one line."""
    with pytest.raises(SystemExit) as end:
        main(["revise", *arguments])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (["--from", "soon", "--to", "2100-01-01"], "--from soon: not a time"),
        (["--from", "2100-01-01", "--to", "2020-01-01"], "is not before --to"),
    ],
)
def test_a_wrong_range_is_one_line(
    config: Path, times: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*times, "--max-records", "5", "--config", str(config)]
    assert told in refused(arguments, capsys)


def test_a_file_that_labels_one_text_in_two_ways_is_refused_by_both_ids(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "people.jsonl"
    lines = [
        {"id": "a", "text": "Ada", "entities": []},
        {
            "id": "b",
            "text": "Ada",
            "entities": [{"start": 0, "end": 3, "label": "PER", "surface": "Ada"}],
        },
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    arguments = [*RANGE, "--max-records", "5", "--labels", str(file), "--config", str(config)]
    assert "a and b are one text, labelled differently" in refused(arguments, capsys)


def test_how_much_may_be_read_must_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["revise", *RANGE])
    assert end.value.code == 2
    assert "--max-records" in capsys.readouterr().err
