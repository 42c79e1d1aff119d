from __future__ import annotations

from pathlib import Path

import pytest

from schemas.settings import RecipeSettings
from stream.lab.demo.setup import Scale, demo_settings
from stream.lab.workspace import Workspace


def test_the_users_own_settings_leave_the_demo_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SILVERSTREAM_CONFIG", str(tmp_path / "nowhere.yaml"))
    monkeypatch.setenv("SILVERSTREAM_DISTILL__RECIPE__BASE", "some/other-base")
    monkeypatch.setenv("SILVERSTREAM_EXPERIMENT__EPOCHS", "99")
    settings = demo_settings(Workspace(tmp_path), Scale(), servers="broker:1", url="http://t/v1")
    assert settings.distill.recipe.base == RecipeSettings().base
    assert settings.recipe.layers == Scale().recipe["layers"]
    assert settings.recipe.min_steps == Scale().experiment["min_steps"]
    assert settings.kafka.bootstrap_servers == "broker:1"
