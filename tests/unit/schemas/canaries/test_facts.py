from __future__ import annotations

import json

from schemas.canaries.facts import canary_facts, change_words
from schemas.canaries.trust import TeacherTrust
from stream.testing.messages import a_canary


def history(**after: object) -> TeacherTrust:
    trust = TeacherTrust()
    for at in range(120):
        trust.take(
            a_canary(
                text_digest=str(at % 5),
                at_ms=at,
                right=0.5,
                latency_ms=200,
                **(after if at >= 80 else {}),
            )
        )
    return trust


def test_nothing_is_told_where_none_are_asked_and_none_ever_were() -> None:
    assert canary_facts(TeacherTrust(), per_hour=0) is None
    told = canary_facts(TeacherTrust(), per_hour=2)
    assert told is not None
    assert told["state"] == "gathering"


def test_a_steady_teacher_is_watched() -> None:
    told = canary_facts(history(), per_hour=2)
    assert told is not None
    assert (told["state"], told["since"], told["noticed_by"]) == ("watching", None, None)
    before = told["before"]
    assert (before["answers"], before["compared"], before["agreed"]) == (120, 115, 115)
    assert (before["right"], before["latency_s"], before["models"]) == (0.5, 0.2, {"m1": 120})
    assert json.loads(json.dumps(told)) == told


def test_a_change_is_told_with_what_was_before_and_since() -> None:
    told = canary_facts(history(outcome="refused"), per_hour=2)
    assert told is not None
    assert (told["state"], told["noticed_by"]) == ("changed", "answers")
    assert told["since"]["refused"] == 40
    assert told["before"]["refused"] == 0
    assert change_words(told).startswith("canary: the teacher has changed: ")
    assert "silverstream teacher accept" in change_words(told)


def test_a_change_of_name_is_told_with_both_names() -> None:
    told = canary_facts(history(model="m2"), per_hour=2)
    assert told is not None
    assert "m1" in change_words(told)
    assert "m2" in change_words(told)
