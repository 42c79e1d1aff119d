from __future__ import annotations

import math
from typing import Any

import pytest

from schemas.errors import ConfigError
from stream.lab.teacher_sim.faults import FAULTS, SimulatorSettings


def test_every_fault_can_be_ordered() -> None:
    share = 1 / len(FAULTS)
    assert SimulatorSettings(faults=dict.fromkeys(FAULTS, share)).faults["hang"] == share


@pytest.mark.parametrize(
    "wrong",
    [
        {"faults": {"418": 0.1}},
        {"faults": {"429": -0.1}},
        {"faults": {"429": math.nan}},
        {"faults": {"429": 0.6, "500": 0.6}},
        {"latency_s": -1.0},
        {"latency_s": math.nan},
        {"jitter": 1.5},
        {"requests_per_s": 0.0},
        {"requests_per_s": math.nan},
    ],
)
def test_settings_that_make_no_sense_are_user_errors(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        SimulatorSettings(**wrong)
