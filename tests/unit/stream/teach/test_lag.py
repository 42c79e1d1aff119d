from __future__ import annotations

from stream.teach.lag import TeachLag


def test_before_the_first_look_nothing_stands_still() -> None:
    assert TeachLag().standstill_s(100.0) == 0.0


def test_it_stands_still_while_there_is_something_to_read_and_nothing_is_read() -> None:
    lag = TeachLag()
    for now_s in (0.0, 10.0, 20.0):
        lag.saw({0: 3, 1: 7}, {0: 5, 1: 7}, busy=False, now_s=now_s)
    assert lag.lags == {0: 2, 1: 0}
    assert lag.standstill_s(25.0) == 25.0


def test_reading_being_busy_and_having_nothing_to_read_are_moves() -> None:
    for positions, busy in (({0: 4}, False), ({0: 3}, True), ({0: 5}, False), ({}, False)):
        lag = TeachLag()
        lag.saw({0: 3}, {0: 5}, busy=False, now_s=0.0)
        lag.saw(positions, {0: 5}, busy=busy, now_s=10.0)
        assert lag.standstill_s(12.0) == 2.0


def test_a_partition_whose_end_is_unknown_does_not_lag() -> None:
    lag = TeachLag()
    lag.saw({0: 3}, {}, busy=False, now_s=0.0)
    assert lag.lags == {}


def test_an_outage_of_the_brokers_is_no_standstill() -> None:
    lag = TeachLag()
    lag.saw({0: 3}, {0: 5}, busy=False, now_s=0.0)
    lag.paused(100.0)
    lag.saw({0: 3}, {0: 5}, busy=False, now_s=102.0)
    assert lag.standstill_s(103.0) == 3.0
