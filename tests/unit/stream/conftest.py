from __future__ import annotations

import pytest

from stream.testing.fake_time import FakeTime


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()
