from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from distill.labels.doubts import contradicted, doubt_counts, fold_of, settle
from schemas.files.task import LabelSpec, Task
from schemas.files.task_identity import unasked_of
from schemas.types import Entity, SilverLabel, Tagging, facts

MakeLabel = Callable[..., SilverLabel]
ADA = Entity(0, 3, "PER", "Ada", 0.9)
PLACE = Entity(0, 3, "LOC", "Ada", 0.9)


def said(*entities: Entity, confidence: float = 0.9) -> Tagging:
    return Tagging(entities, confidence=confidence, score=confidence)


def test_a_label_is_doubted_where_the_student_says_otherwise_the_surest_first(
    task: Task, make_label: MakeLabel
) -> None:
    labels = [make_label(f"Ada sings {i}") for i in range(3)]
    taggings = [said(ADA), said(PLACE, confidence=0.6), said(confidence=0.8)]
    found = contradicted(labels, taggings, task)
    assert [label.text for label, _ in found] == ["Ada sings 2", "Ada sings 1"]


def test_a_persons_label_is_never_doubted(task: Task, make_label: MakeLabel) -> None:
    assert contradicted([make_label("Ada sings", source="human")], [said()], task) == []


@pytest.mark.parametrize(
    ("opinion", "found"),
    [
        (None, ("contradicted", 0.2, "PER")),
        (frozenset({(0, 3, "PER")}), ("confirmed", 1.0, "PER")),
        (frozenset({(0, 3, "LOC")}), ("changed", 1.0, "LOC")),
        (frozenset(), ("contested", 0.2, "PER")),
    ],
)
def test_the_second_opinion_settles_what_is_learnt(
    task: Task,
    make_label: MakeLabel,
    opinion: frozenset[tuple[int, int, str]] | None,
    found: tuple[str, float, str],
) -> None:
    reason, weight, learnt = found
    label, other = make_label("Ada sings", weight=0.5), make_label("Bob sings")
    opinions = {} if opinion is None else {label.text: opinion}
    cleaned = settle([label, other], [(label, said(PLACE))], opinions, task=task, weight=0.2)
    (doubt,) = cleaned.doubts
    assert (doubt.reason, doubt.weight) == (reason, weight)
    first, second = cleaned.labels
    assert facts(first) == {(0, 3, learnt)}
    assert first.weight == pytest.approx(0.5 * weight)
    assert second == other
    counts = doubt_counts(cleaned.doubts)
    assert counts["asked_again"] == (opinion is not None)
    assert counts["changed"] == (reason == "changed")


def test_a_weight_of_nothing_drops_the_label(task: Task, make_label: MakeLabel) -> None:
    label, other = make_label("Ada sings"), make_label("Bob sings")
    cleaned = settle([label, other], [(label, said())], {}, task=task, weight=0.0)
    assert cleaned.labels == (other,)
    assert doubt_counts(cleaned.doubts) == {
        "doubted": 1,
        "changed": 0,
        "dropped": 1,
        "asked_again": 0,
    }


def test_a_doubt_is_listed_with_both_sides(task: Task, make_label: MakeLabel) -> None:
    (doubt,) = settle(
        [make_label("Ada sings")],
        [(make_label("Ada sings"), said(confidence=0.8))],
        {},
        task=task,
        weight=0.2,
    ).doubts
    assert doubt.as_dict() == {
        "text": "Ada sings",
        "reason": "contradicted",
        "weight": 0.2,
        "label": {"entities": [{"start": 0, "end": 3, "label": "PER"}]},
        "student": {"entities": []},
        "student_confidence": 0.8,
        "source": "teacher",
        "teacher_model": doubt.label.teacher_model,
    }


def test_where_all_would_be_dropped_nobody_is_believed(task: Task, make_label: MakeLabel) -> None:
    label = make_label("Ada sings")
    cleaned = settle([label], [(label, said())], {}, task=task, weight=0.0)
    assert cleaned.labels == (label,)
    assert not cleaned.doubts


def test_what_a_label_was_not_asked_about_does_not_contest_it(make_label: MakeLabel) -> None:
    """The label is from before places were asked for; the second opinion says one more."""
    old = Task(name="people", language="en", labels=(LabelSpec("PER"),))
    grown = replace(old, labels=(LabelSpec("PER"), LabelSpec("LOC", added=True)))
    label = make_label("Ada sings", task_digest=old.digest)
    assert unasked_of(label, grown) == {"LOC"}
    opinion = frozenset({(0, 3, "PER"), (4, 9, "LOC")})
    (doubt,) = settle(
        [label], [(label, said())], {label.text: opinion}, task=grown, weight=0.2
    ).doubts
    assert doubt.reason == "confirmed"


def test_texts_that_are_alike_are_in_one_fold() -> None:
    assert fold_of("Room 12 is  free", 7) == fold_of("room 93 is free", 7)
    assert len({fold_of(f"text {chr(97 + i)}", 7) for i in range(26)}) > 3
