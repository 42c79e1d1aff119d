from __future__ import annotations

from typing import Any

from schemas.settings import load_settings
from stream.frame.health import RoleHealth
from stream.teach.health import TeachState, teach_health
from stream.teacher.retries import Outage

SETTINGS = load_settings(None, kafka={"stall_timeout_s": 60})


def health(**changes: Any) -> RoleHealth:
    state: dict[str, Any] = {
        "partitions": [0, 1],
        "lags": {},
        "standstill_s": 0.0,
        "busy_s": 0.0,
        "untried_s": 0.0,
        "reachable": True,
        "arriving": True,
    }
    return teach_health(TeachState(**state | changes), SETTINGS)


def test_it_is_ready_with_partitions_brokers_that_answer_and_deliveries_that_arrive() -> None:
    assert health().ready
    assert health().facts["teach_partitions"] == [0, 1]
    assert not health(partitions=[]).ready
    assert not health(reachable=False).ready
    assert not health(arriving=False).ready
    refused = health(refused="it answered 402 (pay)")
    assert (refused.ready, refused.live) == (False, True)
    assert refused.facts["teach_refused"] == "it answered 402 (pay)"
    assert health(arriving=False).live


def test_it_tells_whether_the_teacher_is_asked_and_why_not() -> None:
    assert health().facts["teach_circuit"] == "closed"
    away = health(outage=Outage(0.0, 1.0, "it answered 500", refuses=False))
    assert (away.facts["teach_circuit"], away.facts["teach_outage"]) == ("open", "it answered 500")
    assert away.ready
    refused = health(outage=Outage(0.0, 1.0, "it answered 401", refuses=True))
    assert refused.facts["teach_circuit"] == "refused"


def test_a_batch_that_takes_for_ever_kills_it_unless_the_brokers_are_away() -> None:
    stuck = {"busy_s": 1e6, "untried_s": 1e6}
    assert not health(**stuck).live
    assert health(**stuck, reachable=False).live


def test_a_batch_that_waits_for_a_busy_teacher_is_alive_while_it_goes_on_trying() -> None:
    teacher = SETTINGS.teacher
    call_s = teacher.connect_timeout_s + teacher.read_timeout_s
    longest_s = 60 + 2 * teacher.max_retry_wait_s + call_s
    assert health(busy_s=1e6, untried_s=longest_s - 1).live
    assert not health(busy_s=1e6, untried_s=longest_s + 1).live


def test_a_teacher_that_is_not_asked_for_want_of_requests_is_alive() -> None:
    assert health(busy_s=0.0, untried_s=1e6).live


def test_requests_that_nobody_reads_kill_it_unless_the_brokers_are_away() -> None:
    assert health(lags={0: 2}, standstill_s=60).facts["teach_lag"] == {"0": 2}
    assert health(standstill_s=59).live
    assert not health(standstill_s=60).live
    assert health(standstill_s=60, reachable=False).live
