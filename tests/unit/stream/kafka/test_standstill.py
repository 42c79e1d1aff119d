from __future__ import annotations

import pytest

from stream.kafka.standstill import Standstill
from stream.testing.fake_time import FakeTime


@pytest.fixture
def standstill(fake_time: FakeTime) -> Standstill:
    made = Standstill(clock=fake_time.clock.monotonic)
    fake_time.now_s += 60
    return made


def test_whoever_has_lag_stands_still_until_it_moves(
    standstill: Standstill, fake_time: FakeTime
) -> None:
    assert standstill.seconds(lag=1) == 60
    standstill.moved()
    fake_time.now_s += 5
    assert standstill.seconds(lag=1) == 5


def test_whoever_has_nothing_to_read_does_not_stand_still(standstill: Standstill) -> None:
    assert standstill.seconds(lag=0) == 0
