from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SILVERSTREAM_CONFIG", "SILVERSTREAM_KAFKA__TOPIC_PREFIX"):
        monkeypatch.delenv(name, raising=False)
