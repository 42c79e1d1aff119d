"""What the tests of batches share."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.testing.fake_time import FakeTime
from tests.unit.stream.teacher.batches.batch_runs import Runs


@pytest.fixture
def runs(tmp_path: Path, fake_time: FakeTime) -> Runs:
    return Runs(tmp_path, fake_time)
