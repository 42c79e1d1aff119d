from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.types import Category, Fact, Opinion, SilverLabel, text_digest
from stream.teacher.comparison import (
    GOLD,
    NOTHING_COMPARED,
    STUDENT,
    Agreement,
    Comparison,
    Tally,
    compared,
    comparison_in,
)
from stream.testing.messages import a_label

JOY, FEAR = (0, 0, "joy"), (0, 0, "fear/of")


def audit(
    n: int,
    first: str,
    cheap: str,
    *,
    student: str = "joy",
    confidence: float = 0.3,
    model: str = "s",
) -> SilverLabel:
    said = ((0, 0, student),) if student else ()
    opinions = (
        Opinion("", "v1", said, confidence),
        Opinion("cheap", model, ((0, 0, cheap),)),
    )
    return a_label(
        text=f"text {n}",
        audit=True,
        teacher="best",
        teacher_model="b",
        categories=(Category(first),),
        opinions=opinions,
        labelled_at_ms=n,
    )


def of(labels: list[SilverLabel], truths: dict[str, frozenset[Fact]] | None = None) -> Comparison:
    by_digest = {text_digest(text): truth for text, truth in (truths or {}).items()}
    return compared(labels, by_digest, first="best", threshold=0.5)


def test_without_people_the_first_is_right_and_a_teacher_that_agrees_becomes_good_enough() -> None:
    few = of([audit(n, "joy", "joy") for n in range(20)])
    assert not few.is_good_enough("cheap", ["joy"], tolerated=0.05)
    many = of([audit(n, "joy", "joy") for n in range(60)])
    assert many.tallies["cheap", "first", "joy"] == Tally(60, 0, 0)
    assert many.is_good_enough("cheap", ["joy"], tolerated=0.05)
    assert not many.is_good_enough("cheap", ["joy", "fear"], tolerated=0.05)
    assert not many.is_good_enough("cheap", [], tolerated=0.05)
    assert not many.is_good_enough("other", ["joy"], tolerated=0.05)


def test_what_people_say_lets_a_teacher_be_better_than_the_first() -> None:
    labels = [audit(n, "fear", "joy") for n in range(60)]
    assert not of(labels).is_good_enough("cheap", ["joy"], tolerated=0.05)
    found = of(labels, {f"text {n}": frozenset({JOY}) for n in range(60)})
    assert found.tallies["cheap", "gold", "joy"] == Tally(60, 0, 60)
    assert found.is_good_enough("cheap", ["joy"], tolerated=0.05)


def test_all_records_prove_a_label_that_has_few_where_these_do_not_speak_against_it() -> None:
    much = [audit(n, "joy", "joy") for n in range(200)]
    agreeing = [audit(n, "fear", "fear", student="fear") for n in range(200, 210)]
    differing = [audit(n, "fear", "joy", student="fear") for n in range(210, 212)]
    assert of(much + agreeing).is_good_enough("cheap", ["fear"], tolerated=0.05)
    assert not of(much + agreeing + differing).is_good_enough("cheap", ["fear"], tolerated=0.05)


def test_what_a_teacher_costs_is_counted_where_records_are_deferred_alone() -> None:
    found = of([audit(1, "joy", "fear", confidence=0.5), audit(2, "joy", "fear", student="")])
    assert found.tallies["cheap", "first", None] == Tally(1, 1, 0)
    assert found.tallies["cheap", "first", ""] == Tally(1, 1, 0)
    assert found.agreement("best", "cheap", "joy") == Agreement(2, 0)


def test_agreement_is_counted_by_label_with_each_other_the_student_and_people() -> None:
    labels = [audit(1, "joy", "joy"), audit(2, "joy", "fear")]
    found = of(labels, {"text 2": frozenset({JOY})})
    assert found.agreement("cheap", "best", "joy") == Agreement(2, 1)
    assert found.agreement("cheap", "best", "fear") == Agreement(1, 0)
    assert found.agreement("best", STUDENT, "joy") == Agreement(2, 2)
    assert found.agreement("best", GOLD, "joy") == Agreement(1, 1)
    assert found.agreement("cheap", GOLD, "joy") == Agreement(1, 0)


def test_what_an_earlier_model_said_counts_no_more() -> None:
    found = of([audit(1, "joy", "fear", model="old"), audit(2, "joy", "joy", model="new")])
    assert found.models == {"best": ("b", "p1"), "cheap": ("new", "p1")}
    assert found.tallies["cheap", "first", None] == Tally(1, 0, 0)


def test_where_a_teacher_refuses_the_students_tagging_stands() -> None:
    labels = [audit(n, "joy", "joy", student="fear") for n in range(2)]
    student, cheap = labels[1].opinions
    refused = replace(cheap, facts=(), model="", refused=True)
    found = of([labels[0], replace(labels[1], opinions=(student, refused))])
    assert found.tallies["cheap", "first", "fear"] == Tally(2, 1, 0)
    assert found.agreement("cheap", "best", "joy") == Agreement(1, 1)
    assert found.models["cheap"] == ("s", "p1")


def test_labels_that_are_no_audits_or_of_another_first_are_not_counted() -> None:

    one = audit(1, "joy", "joy")
    others = [replace(one, audit=False), replace(one, teacher="cheap"), replace(one, opinions=())]
    assert of(others) == NOTHING_COMPARED


@pytest.mark.parametrize("label", ["joy", "fear/of", "a b", ""])
def test_promotions_carry_it(label: str) -> None:
    labels = [audit(1, label, "fear", student=label), audit(2, "joy", "joy", student="")]
    found = of(labels, {"text 1": frozenset({FEAR})})
    assert found.tallies
    assert comparison_in({**found.metrics(), "f1": 0.5, "merge_texts/student": 1.0}) == found
    assert comparison_in({"f1": 0.5}) == NOTHING_COMPARED


def test_the_bound_of_a_loss_narrows_with_what_is_seen() -> None:
    assert Tally().loss_bound == 1
    assert Tally(58).loss_bound > 0.05 >= Tally(59).loss_bound
    assert 0.05 < Tally(100, 12, 10).loss_bound < 0.15
    assert Tally(5000, 600, 500).loss_bound < 0.04
    assert Tally(100, 0, 20).loss_bound < 0.05
