from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from stream.cli.main import main

CANARY = "canary-5c1d"


def _show(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        main(["config", "show", *arguments])
    assert end.value.code == 0
    return capsys.readouterr().out


def test_settings_are_shown_with_their_secrets_masked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s.yaml").write_text(
        f"kafka: {{sasl_password: {CANARY}}}\n"
        f"schema_registry: {{url: 'http://user:{CANARY}@registry:8081'}}\n"
    )
    monkeypatch.setenv("SILVERSTREAM_TEACHER__API_KEY", CANARY)
    out = _show(capsys, "--config", str(tmp_path / "s.yaml"))
    assert CANARY not in out
    assert out.startswith(f"# {tmp_path}/s.yaml\n")
    values = yaml.safe_load(out)
    assert values["kafka"]["sasl_password"] == "****"
    assert values["teacher"]["api_key"] == "****"


def test_it_is_said_that_no_file_was_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SILVERSTREAM_CONFIG", raising=False)
    assert _show(capsys).startswith("# defaults and environment; no settings file was read\n")


@pytest.mark.parametrize("spelling", [["--json"], ["--json", "-"]])
def test_the_same_settings_as_json(capsys: pytest.CaptureFixture[str], spelling: list[str]) -> None:
    assert json.loads(_show(capsys, *spelling))["app"] == "silverstream"


def test_the_same_settings_in_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert yaml.safe_load(_show(capsys, "--json", str(tmp_path / "s.json")))["app"]
    written = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    assert written["app"] == "silverstream"
