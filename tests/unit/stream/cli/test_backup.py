from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.archive import RoundArchive
from schemas.files.task_file import task_yaml
from stream.cli.main import main
from stream.teacher.answer_rows import CachedAnswer
from stream.teacher.ledger_and_cache import TeacherStore
from stream.testing.endpoints import TASK


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """An installation in a folder of its own, without a broker."""
    home = tmp_path / "home"
    (home / "models" / TASK.name / "v1").mkdir(parents=True)
    (home / "models" / TASK.name / "v1" / "manifest.json").write_text("{}")
    (home / "snapshots" / TASK.name / "rounds" / "v1").mkdir(parents=True)
    (home / "snapshots" / TASK.name / "rounds" / "v1" / "decision.json").write_text("{}")
    (home / "prompts" / TASK.name).mkdir(parents=True)
    (home / "prompts" / TASK.name / "p1.yaml").write_text("words: 1")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    (tmp_path / "task.yaml").write_text(task_yaml(TASK), encoding="utf-8")
    with closing(TeacherStore(home / "teacher.sqlite")) as store:
        store.remember("key", CachedAnswer("m", ()))
    values = {
        "task": str(tmp_path / "task.yaml"),
        "student": {"registry": str(home / "models")},
        "teacher": {"state": str(home / "teacher.sqlite"), "prompts": str(home / "prompts")},
        "distill": {"snapshots": str(home / "snapshots")},
    }
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def run(config: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    out = config.parent / "out.json"
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--config", str(config), "--json", str(out)])
    assert ended.value.code == code
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8")) if code == 0 else {}
    return found


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(x.relative_to(folder)): x.read_bytes()
        for x in folder.rglob("*")
        if x.is_file() and ".sqlite" not in x.name and x.name != ".lock"
    }


def test_an_installation_comes_back_from_its_backup(config: Path) -> None:
    folder, home, a_run = config.parent / "backup", config.parent / "home", config.parent / "run"
    before = files(home)
    facts = run(config, "backup", str(folder), "--run", str(a_run))
    assert facts["places"] == {
        "teacher-state": 1, "rounds": 1, "prompts": 1, "registry": 1, "run-1": 1,
    }  # fmt: skip
    for kept_elsewhere in (
        "silver-labels", "teacher-spend", "teacher-answers", "teacher.canaries",
        "run folders that --run does not name", "silverstream new", "student.cache",
    ):  # fmt: skip
        assert any(kept_elsewhere in name for name in facts["not_in_it"])
    run(config, "restore", str(folder), "--run", str(a_run), code=2)
    assert files(home) == before
    shutil.rmtree(home)
    shutil.rmtree(a_run)
    run(config, "restore", str(folder), "--run", str(a_run))
    assert files(home) == before
    assert (a_run / "run.json").exists()
    with closing(TeacherStore(home / "teacher.sqlite")) as store:
        assert store.cached("key") == CachedAnswer("m", ())


def test_while_a_round_runs_no_backup_is_made(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RoundArchive(config.parent / "home" / "snapshots", TASK.name).lock():
        run(config, "backup", str(config.parent / "backup"), code=1)
    assert "another round of people is running" in capsys.readouterr().err
    assert not (config.parent / "backup").exists()


def test_the_backup_of_another_task_is_refused(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = config.parent / "backup"
    run(config, "backup", str(folder))
    (config.parent / "task.yaml").write_text(task_yaml(TASK).replace("people", "others"))
    shutil.rmtree(config.parent / "home")
    run(config, "restore", str(folder), code=2)
    assert "is of the task people" in capsys.readouterr().err
    assert not (config.parent / "home").exists()
