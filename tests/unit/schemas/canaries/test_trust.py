from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from schemas.canaries.holds import Hold
from schemas.canaries.trust import FALSE_ALARM, TeacherTrust
from schemas.types import Canary
from stream.testing.messages import a_canary

_CHANGED = {"facts": ((0, 3, "LOC"),)}


def answers(n: int, start_ms: int = 0, **said: Any) -> Iterator[Canary]:
    for at in range(start_ms, start_ms + n):
        yield a_canary(text_digest=str(at % 5), at_ms=at, **said)


def doubted() -> TeacherTrust:
    trust = TeacherTrust().take_all(answers(80)).take_all(answers(40, 80, **_CHANGED))
    assert trust.hold is not None
    return trust


def test_a_teacher_who_stays_the_same_is_not_doubted() -> None:
    assert TeacherTrust().take_all(answers(300)).holds == ()


def test_labels_since_the_change_are_held_back_and_those_of_before_are_not() -> None:
    hold = doubted().hold
    assert hold is not None
    assert hold.covers(80)
    assert hold.covers(10_000)
    assert not hold.covers(40)


def test_an_acceptance_releases_what_was_held_back_and_begins_anew() -> None:
    trust = doubted()
    trust.take(a_canary(kind="accept", at_ms=130, reason="a better model"))
    (hold,) = trust.holds
    assert (hold.is_open, hold.covers(100)) == (False, False)
    assert trust.accepted is not None
    assert trust.accepted.reason == "a better model"
    trust.take_all(answers(100, 131, **_CHANGED))  # its answers are the usual ones now
    assert trust.hold is None


def test_another_teacher_ends_the_doubt_but_what_the_changed_one_said_stays_held_back() -> None:
    trust = doubted().take_all(answers(1, 130, teacher="another"))
    (hold,) = trust.holds
    assert (hold.is_open, hold.covers(100), hold.covers(131)) == (False, True, False)


def test_another_prompt_begins_anew_but_ends_no_doubt() -> None:
    trust = doubted().take_all(answers(3, 130, prompt_version="2"))
    assert trust.hold is not None
    assert len(trust.epoch.seen) == 3


def test_another_prompt_or_task_or_set_of_texts_or_teacher_is_no_change_of_the_teacher() -> None:
    for name in ("prompt_version", "task_digest", "texts", "teacher"):
        trust = TeacherTrust().take_all(answers(80))
        trust.take_all(answers(80, 80, **_CHANGED, **{name: "another"}))
        assert trust.holds == (), name


def test_an_acceptance_of_nothing_is_passed_over() -> None:
    trust = TeacherTrust().take_all(answers(20))
    trust.take(a_canary(kind="accept", at_ms=30, reason="by mistake"))
    assert (trust.accepted, len(trust.epoch.seen)) == (None, 20)


def test_the_chance_of_a_false_alarm_is_shared_among_all_that_are_to_come() -> None:
    trust = TeacherTrust()
    risks = []
    for n, _ in zip(itertools.count(), range(50), strict=False):
        trust.take(a_canary(prompt_version=str(n)))
        risks.append(trust.epoch.risk)
    assert sum(risks) < FALSE_ALARM
    assert sum(risks) > 0.95 * FALSE_ALARM


def test_a_second_change_is_noticed_after_the_first_was_accepted() -> None:
    trust = doubted()
    trust.take(a_canary(kind="accept", at_ms=130, reason="fine"))
    trust.take_all(answers(120, 131, **_CHANGED)).take_all(answers(60, 251))
    assert [hold.is_open for hold in trust.holds] == [False, True]
    assert trust.holds[0] == Hold(trust.holds[0].since_ms, 130, released=True)
