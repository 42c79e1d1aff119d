from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stream.cli.main import main


def _refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        main(["run", *arguments])
    assert end.value.code == 2
    return capsys.readouterr().err


def test_an_unknown_role_is_a_users_error(capsys: pytest.CaptureFixture[str]) -> None:
    said = _refused(capsys, "tag", "tagg")
    assert said == "silverstream: no such role: tagg (there is tag, teach, distill)\n"


def test_an_unknown_log_level_is_one_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no such log level: LOUD" in _refused(capsys, "tag", "--log-level", "LOUD")


def test_a_missing_task_file_is_said_before_anything_starts(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "s.yaml").write_text(f"task: {tmp_path}/none.yaml\n")
    assert "cannot read the task file" in _refused(capsys, "tag", "-c", str(tmp_path / "s.yaml"))


@pytest.mark.parametrize("package", ["torch", "sklearn", "scipy"])
def test_distill_without_its_extra_is_refused_at_once(
    package: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as Python has it that it is not there
    assert f"needs {package}: pip install '.[distill]'" in _refused(capsys, "distill")
