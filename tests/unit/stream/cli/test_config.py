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
    values = yaml.safe_load(out)
    assert values["kafka"]["sasl_password"] == "****"
    assert values["teacher"]["api_key"] == "****"


def test_the_same_settings_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(_show(capsys, "--json"))["app"] == "silverstream"
