from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.types import (
    Entity,
    EntityEvent,
    RoutingPolicy,
    text_digest,
)
from stream.lab.observations import Counts, Observations
from stream.testing.messages import a_label, a_promotion, a_request, an_event

LABEL = a_label(text="Ada")


def event(record_id: str, **changes: Any) -> EntityEvent:
    return an_event(record_id=record_id, **changes)


def deferred(record_id: str, **changes: Any) -> EntityEvent:
    return event(record_id, status="provisional", reason="low_confidence", **changes)


def answer(record_id: str, **changes: Any) -> EntityEvent:
    return event(record_id, revision=2, **({"decided_by": "teacher"} | changes))


def seen(*events: EntityEvent) -> Observations:
    observations = Observations()
    for one in events:
        observations.add_event(one)
    return observations


def counts(observations: Observations, *ids: str) -> Counts:
    return observations.counts(ids)


def test_a_record_without_event_or_dead_letter_is_lost() -> None:
    observations = seen(event("a"))
    observations.add_dead_letter("b")
    assert counts(observations, "a", "b", "c").lost == 1
    assert counts(observations, "a", "b", "c").dead == 1


def test_surplus_pairs_of_record_and_revision_are_duplicates() -> None:
    observations = seen(deferred("a"), event("b"), event("b"), event("b"), answer("a"))
    assert counts(observations, "a", "b").duplicated == 2


def test_a_granted_record_without_revision_2_is_uncorrected() -> None:
    observations = seen(deferred("a"), deferred("b"), answer("b"), event("c"))
    assert counts(observations, "a", "b", "c").uncorrected == 1


def test_a_request_grants_even_before_its_event_is_seen() -> None:
    observations = Observations()
    observations.add_request(a_request(record_id="a"))
    assert counts(observations, "a").deferred == 1
    assert not observations.is_done("a")


def test_an_answered_record_is_done_with_revision_2_and_its_label() -> None:
    observations = seen(deferred("a"))
    assert not observations.is_done("a")
    observations.add_event(answer("a", text_digest=text_digest(LABEL.text)))
    assert not observations.is_done("a")
    observations.add_label(LABEL)
    assert observations.is_done("a")


def test_a_refused_record_is_done_with_revision_2() -> None:
    assert seen(deferred("a"), answer("a", decided_by="student", reason="refused")).is_done("a")


def test_the_higher_revision_is_the_last_in_whatever_order_they_come() -> None:
    ada = Entity(0, 3, "PER", "Ada")
    for order in ([deferred("a"), answer("a", entities=(ada,))],) * 2:
        for observations in (seen(*order), seen(*reversed(order))):
            last = observations.said("a")
            assert last is not None
            assert last.entities == (ada,)


def test_an_answer_that_kept_the_student_s_entities_is_unanswered() -> None:
    observations = seen(
        deferred("a"),
        answer("a", decided_by="student", reason="refused"),
        deferred("b"),
        answer("b"),
    )
    assert counts(observations, "a", "b").unanswered == 1


def test_wanted_is_what_routing_wanted_whatever_was_granted() -> None:
    observations = seen(
        event("a", reason="over_budget"),
        event("b", reason="not_least_sure"),
        deferred("c"),
        event("d"),
    )
    assert counts(observations, "a", "b", "c", "d").wanted == 3


def test_what_is_unsure_in_trusted_labels_alone_is_not_wanted() -> None:
    observations = seen(event("a", reason="trusted", confidence=0.1))
    assert counts(observations, "a").wanted == 0


def test_a_record_drawn_by_lot_is_wanted_only_under_the_threshold() -> None:
    observations = seen(
        event("a", reason="random", confidence=0.4), event("b", reason="random", confidence=0.8)
    )
    policy = RoutingPolicy(threshold=0.5, audit_share=0.0, audit_seed=0)
    observations.add_promotion(a_promotion(policy=policy))
    assert counts(observations, "a", "b").wanted == 1


def test_a_later_label_of_the_same_text_replaces_the_earlier() -> None:
    observations = Observations()
    observations.add_label(LABEL)
    observations.add_label(replace(LABEL, weight=0.5))
    assert [one.weight for one in observations.labels.values()] == [0.5]


def test_a_persons_label_is_replaced_by_a_persons_alone() -> None:
    observations = Observations()
    by_person = replace(LABEL, source="human")
    observations.add_label(by_person)
    observations.add_label(replace(LABEL, weight=0.5))
    assert [*observations.labels.values()] == [by_person]
    observations.add_label(replace(by_person, weight=0.5))
    assert [*observations.labels.values()] == [replace(by_person, weight=0.5)]


@settings(max_examples=60)
@given(st.permutations([deferred("a"), answer("a"), event("b"), event("b"), deferred("c")]))
def test_counts_do_not_depend_on_the_order_of_reading(events: list[EntityEvent]) -> None:
    assert counts(seen(*events), "a", "b", "c", "d") == Counts(
        records=4,
        lost=1,
        duplicated=1,
        uncorrected=1,
        dead=0,
        wanted=2,
        deferred=2,
        unanswered=0,
    )
