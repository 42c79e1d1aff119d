from __future__ import annotations

from schemas.clocks import LogClock, past


def test_what_is_dated_after_now_is_as_old_as_what_lies_before_it() -> None:
    clock = LogClock(lambda: 100)
    assert [clock.believe(x) for x in (101, 10, 999, 50, 20, 100, 999)] == [
        0,
        10,
        10,
        50,
        20,
        100,
        100,
    ]


def test_each_partition_has_an_order_of_its_own() -> None:
    clock = LogClock(lambda: 100)
    assert clock.believe(50, partition=0) == 50
    assert clock.believe(999, partition=1) == 0
    assert clock.believe(999, partition=0) == 50


def test_a_time_is_believed_once_it_has_come() -> None:
    now = [100]
    clock = LogClock(lambda: now[0])
    assert clock.believe(200) == 0
    now[0] = 200
    assert clock.believe(200) == 200


def test_times_to_come_are_left_out() -> None:
    assert past([1, 100, 101], now_ms=100) == [1, 100]
