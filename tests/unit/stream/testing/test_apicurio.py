from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import ConfigError
from stream.testing.apicurio import ApicurioRegistry, registry_app


def test_an_empty_folder_holds_no_registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SILVERSTREAM_REGISTRY_APP", str(tmp_path))
    assert registry_app() is None
    with pytest.raises(ConfigError, match="make registry"):
        ApicurioRegistry().start()
