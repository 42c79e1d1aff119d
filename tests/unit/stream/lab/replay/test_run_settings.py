from __future__ import annotations

import pytest

from schemas.settings import DoubtSettings
from stream.lab.replay.run_settings import doubt_of

OUTSIDE = DoubtSettings.model_validate(
    {"base_url": "https://paid.example/v1", "model": "b", "api_key": "its own", "folds": 3}
)
SECOND = "http://127.0.0.1:9/v1"


@pytest.mark.parametrize("second", [None, SECOND])
def test_a_replay_asks_nobody_outside_for_second_opinions(second: str | None) -> None:
    found = DoubtSettings.model_validate(doubt_of(OUTSIDE, second))
    assert (found.base_url, found.model, found.api_key, found.folds) == (second, None, None, 3)


def test_with_a_second_teacher_labels_are_doubted() -> None:
    assert doubt_of(DoubtSettings(), SECOND)["folds"] > 1
    assert doubt_of(DoubtSettings(), None)["folds"] == 0
