from __future__ import annotations

import asyncio
import math
import random
from email.utils import formatdate

import pytest

from schemas.errors import (
    BudgetExhaustedError,
    InvalidAnswerError,
    RefusedError,
    TeacherUnavailableError,
    TurnedAwayError,
)
from schemas.retry import patiently
from stream.teacher.retries import MAY_PASS, Circuit, parse_retry_after, waits
from stream.testing.fake_time import FakeTime

NOW = 1_700_000_000.0


async def waited(*, wish_s: float | None = None, max_wait_s: float = 30.0) -> list[float]:
    """Fail eleven times with this wish of the server's; return the waits in between."""
    fake_time, lot = FakeTime(), random.Random(1)

    async def fail() -> None:
        raise TeacherUnavailableError("busy", retry_after_s=wish_s)

    with pytest.raises(TeacherUnavailableError):
        await patiently(
            fail,
            retry=MAY_PASS,
            wait=waits(max_wait_s=max_wait_s, lot=lot),
            stop=lambda _: len(fake_time.slept_s) == 11,
            sleep=fake_time.sleep,
        )
    return fake_time.slept_s


async def test_waits_double_with_jitter_up_to_the_limit() -> None:
    for number, wait in enumerate(await waited()):
        most = min(0.5 * 2**number, 30.0)
        assert most / 2 <= wait <= most
    assert len(set((await waited())[:6])) == 6


@pytest.mark.parametrize("wish_s", [7.0, 30.0, 1e9, math.inf])
async def test_the_jitter_is_on_top_of_the_servers_wish_which_is_bounded(wish_s: float) -> None:
    least = min(wish_s, 30.0)
    assert await waited(wish_s=wish_s) == pytest.approx([least + wait for wait in await waited()])


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("3", 3.0),
        ("0.5", 0.5),
        ("-4", 0.0),
        ("1e9", 1e9),
        ("inf", math.inf),
        ("nan", None),
        ("", None),
        ("soon", None),
        (formatdate(NOW + 20, usegmt=True), 20.0),
        (formatdate(NOW - 20, usegmt=True), 0.0),
        ("Fri, 99 Nov 2023 22:13:20 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_forms(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, now=NOW) == seconds


def opened(fake_time: FakeTime, *, max_cooldown_s: float = 30.0) -> Circuit:
    circuit = Circuit(clock=fake_time.clock, max_cooldown_s=max_cooldown_s)
    for _ in range(5):
        assert not circuit.is_open
        fail(circuit)
    assert circuit.is_open
    return circuit


def fail(circuit: Circuit) -> None:
    with pytest.raises(TeacherUnavailableError, match="busy"), circuit.call():
        raise TeacherUnavailableError("busy")


def turned_away(circuit: Circuit) -> float | None:
    with pytest.raises(TurnedAwayError, match="circuit") as caught, circuit.call():
        pytest.fail("the call went ahead")
    return caught.value.retry_after_s


def test_five_failures_in_a_row_turn_calls_away_for_a_while(fake_time: FakeTime) -> None:
    assert turned_away(opened(fake_time)) == 1.0


async def test_calls_that_fail_together_are_one_failure(fake_time: FakeTime) -> None:
    circuit = Circuit(clock=fake_time.clock, max_cooldown_s=30.0)
    for _ in range(5):
        assert not circuit.is_open
        await fail_together(circuit, calls=8)
    assert turned_away(circuit) == 1.0


async def fail_together(circuit: Circuit, *, calls: int) -> None:
    async def call() -> None:
        with circuit.call():
            await asyncio.sleep(0)
            raise TeacherUnavailableError("busy")

    outcomes = await asyncio.gather(*(call() for _ in range(calls)), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["busy"] * calls


def test_a_success_between_failures_keeps_the_circuit_closed(fake_time: FakeTime) -> None:
    circuit = Circuit(clock=fake_time.clock, max_cooldown_s=30.0)
    for _ in range(4):
        fail(circuit)
    with circuit.call():
        pass
    fail(circuit)
    assert not circuit.is_open


@pytest.mark.parametrize("error", [RefusedError("no"), InvalidAnswerError("no")])
def test_an_answer_that_is_no_label_is_still_an_answer(
    fake_time: FakeTime, error: Exception
) -> None:
    circuit = opened(fake_time)
    fake_time.now_s += 1
    with pytest.raises(type(error)), circuit.call():
        raise error
    assert not circuit.is_open


def test_after_the_pause_one_probe_goes_ahead_and_closes_it(fake_time: FakeTime) -> None:
    circuit = opened(fake_time)
    fake_time.now_s += 1
    with circuit.call():
        assert turned_away(circuit) == 1.0
    assert not circuit.is_open


def test_a_failed_probe_doubles_the_pause_up_to_the_limit(fake_time: FakeTime) -> None:
    circuit = opened(fake_time, max_cooldown_s=5.0)
    pauses = []
    for _ in range(4):
        fake_time.now_s += 1000
        fail(circuit)
        pauses.append(turned_away(circuit))
    assert pauses == [2.0, 4.0, 5.0, 5.0]


@pytest.mark.parametrize("error", [asyncio.CancelledError(), BudgetExhaustedError("none left")])
def test_a_probe_that_says_nothing_lets_the_next_one_try(
    fake_time: FakeTime, error: BaseException
) -> None:
    circuit = opened(fake_time)
    fake_time.now_s += 1
    with pytest.raises(type(error)), circuit.call():
        raise error
    assert circuit.is_open
    with circuit.call():
        pass
    assert not circuit.is_open
