from __future__ import annotations

from typing import Any

import pytest

from schemas.canaries.epoch import Epoch, distance_of, f1
from stream.testing.messages import a_canary

ADA, BOB = (0, 3, "PER"), (4, 7, "PER")


@pytest.mark.parametrize(
    ("said", "reference", "distance"),
    [
        ({"facts": (ADA,)}, {"facts": (ADA,)}, 0.0),
        ({"facts": ()}, {"facts": ()}, 0.0),
        ({"facts": (ADA,)}, {"facts": ()}, 1.0),
        ({"facts": (ADA, BOB)}, {"facts": (ADA,)}, 1 - 2 / 3),
        ({"outcome": "refused"}, {"facts": ()}, 2.0),
        ({"facts": ()}, {"outcome": "invalid"}, 2.0),
        ({"outcome": "refused"}, {"outcome": "refused"}, 0.0),
        ({"outcome": "refused"}, {"outcome": "invalid"}, 2.0),
    ],
)
def test_answers_are_as_far_apart_as_their_facts_and_no_answer_is_further(
    said: dict[str, Any], reference: dict[str, Any], distance: float
) -> None:
    assert distance_of(a_canary(**said), a_canary(**reference)) == pytest.approx(distance)


def test_f1_of_nothing_with_nothing_is_one() -> None:
    assert (f1([], []), f1([ADA], [])) == (1.0, 0.0)


def watched(changes_at: int, n: int, **after: Any) -> Epoch:
    epoch = Epoch(risk=0.005)
    for at in range(n):
        said = {"facts": (ADA,)} | (after if at >= changes_at else {})
        epoch.take(a_canary(text_digest=str(at % 7), at_ms=at, **said))
    return epoch


def test_the_first_answer_to_a_text_is_what_later_ones_are_compared_with() -> None:
    epoch = watched(99, 20)
    assert [one.distance for one in epoch.seen] == [None] * 7 + [0.0] * 13
    assert (len(epoch.references), epoch.noticed) == (7, None)


def test_refusals_are_noticed_as_another_answer_and_from_then_on_only_counted() -> None:
    epoch = watched(60, 90, outcome="refused")
    assert epoch.noticed == "answers"
    assert 40 <= epoch.since_ms < 60  # before the first of them, so that it is held back too
    assert all(epoch.is_of_the_change(one) for one in epoch.seen[60:])
    assert not epoch.is_of_the_change(epoch.seen[0])
    assert epoch.capitals["answers"] < 100 * epoch.bound


def test_another_name_is_noticed_though_the_answers_are_the_same() -> None:
    assert watched(60, 90, fingerprint="fp2").noticed == "names"
    assert watched(60, 90, model="other").noticed == "names"
    assert watched(60, 90, latency_ms=60_000).noticed is None


def test_names_that_take_turns_are_no_change() -> None:
    epoch = Epoch(risk=0.005)
    for at in range(200):
        epoch.take(a_canary(text_digest=str(at % 7), at_ms=at, fingerprint=f"fp{at % 3}"))
    assert epoch.noticed is None
