from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.files.corpus import Example
from schemas.promises.proving import Asked, Proof, State
from schemas.promises.record import Promised
from schemas.types import Entity
from stream.lab.observations import Observations
from stream.lab.replay.promise import promise_played
from stream.testing.messages import POLICY, a_promotion, an_event

ADA = Entity(0, 3, "PER", "Ada", 1.0)


def promised(state: State) -> Promised:
    return Promised(
        asked=Asked(agreement=0.7, confidence=0.95),
        against="teacher",
        proof=Proof(
            state=state,
            threshold=0.8,
            accepted_share=0.5,
            audited=20,
            errors=0,
            bound=0.86,
            need=0,
        ),
        watched=0.7,
        stream=20,
    )


def played(state: State, *, right: int, wrong: int, unsure: int = 0) -> Observations:
    seen = Observations()
    policy = replace(POLICY, threshold=0.8)
    promotion = a_promotion(policy=policy, policy_digest="p", metrics=promised(state).metrics())
    seen.add_promotion(promotion)
    for n in range(right + wrong + unsure):
        event = an_event(
            record_id=str(n),
            entities=(ADA,) if n < right else (),
            confidence=0.9 if n < right + wrong else 0.5,
            student_version="v1",
            policy_version="p",
        )
        seen.add_event(event)
    return seen


SENT = {str(n): Example(str(n), "Ada", (ADA,)) for n in range(30)}


@pytest.mark.parametrize(("wrong", "kept"), [(1, True), (9, False)])
def test_gold_says_whether_what_was_promised_held(*, wrong: int, kept: bool) -> None:
    found = promise_played(SENT, played("kept", right=9, wrong=wrong, unsure=5))
    assert found is not None
    assert found["kept"] is kept
    assert found["settled"] == 9 + wrong
    assert found["agreed"] == pytest.approx(9 / (9 + wrong))
    assert (found["state"], found["agreement"]) == ("kept", 0.7)


def test_what_was_not_promised_was_neither_kept_nor_broken() -> None:
    found = promise_played(SENT, played("unproven", right=9, wrong=9))
    assert found is not None
    assert (found["state"], found["settled"], found["kept"]) == ("unproven", 0, None)


@pytest.mark.parametrize(("first", "later"), [("kept", "unproven"), ("unproven", "kept")])
def test_a_promise_that_is_taken_back_or_proved_under_the_same_policy_ends_or_begins_there(
    first: State, later: State
) -> None:
    seen = played(first, right=9, wrong=1)  # all at 2 ms
    promotion = seen.promotions[-1]
    metrics = promised(later).metrics()
    seen.add_promotion(replace(promotion, sequence=2, metrics=metrics, promoted_at_ms=3))
    for n in range(10, 14):
        event = an_event(
            record_id=str(n),
            entities=(ADA,),
            confidence=0.9,
            student_version="v1",
            policy_version="p",
            produced_at_ms=4,
        )
        seen.add_event(event)
    found = promise_played(SENT, seen)
    assert found is not None
    assert (found["state"], found["settled"]) == (later, 10 if first == "kept" else 4)


def test_without_a_promise_there_is_nothing_to_say() -> None:
    assert promise_played(SENT, Observations()) is None
