from __future__ import annotations

from typing import Any

import pytest

from schemas.categories import of_labels
from schemas.files.corpus import Example
from schemas.files.task import LabelSpec, Task
from schemas.types import Entity, EntityEvent, SilverLabel, text_digest
from stream.lab.client import origin
from stream.lab.observations import Observations
from stream.lab.scoring import (
    overall_quality,
    quality,
    stream_quality,
    student_alone,
    teacher_alone,
    teacher_quality,
)
from stream.testing.messages import a_label, an_event

ADA = Entity(0, 3, "PER", "Ada")
OSLO = Entity(7, 11, "LOC", "Oslo")
TEXT = "Ada in Oslo"
GOLD = Example("1", TEXT, (ADA, OSLO))


def event(record_id: str, *entities: Entity, revision: Any = 1) -> EntityEvent:
    return an_event(
        record_id=record_id, text_digest=text_digest(TEXT), entities=entities, revision=revision
    )


def label(text: str, *entities: Entity) -> SilverLabel:
    return a_label(text=text, entities=entities)


def test_the_last_revision_is_what_counts() -> None:
    seen = Observations()
    seen.add_event(event("a"))
    seen.add_event(event("a", ADA, OSLO, revision=2))
    assert stream_quality({"a": GOLD}, seen).f1 == 1.0


def test_a_record_without_an_event_costs_recall() -> None:
    seen = Observations()
    seen.add_event(event("a", ADA, OSLO))
    scores = stream_quality({"a": GOLD, "b": GOLD}, seen).scores
    assert scores.precision == 1.0
    assert scores.recall == 0.5


def test_the_student_alone_is_judged_by_what_it_said_before_any_correction() -> None:
    seen = Observations()
    seen.add_event(event("a", ADA))
    seen.add_event(event("a", ADA, OSLO, revision=2))
    alone = student_alone({"a": GOLD, "lost": GOLD}, seen)
    assert (alone.scores.precision, alone.scores.recall) == (1.0, 0.25)


def test_the_teacher_alone_is_judged_on_every_record_and_a_refusal_says_nothing() -> None:
    other = Example("2", "Bob", (Entity(0, 3, "PER", "Bob"),))
    alone = teacher_alone({"a": GOLD, "b": GOLD, "c": other}, {TEXT: a_label(entities=(OSLO,))})
    assert (alone.scores.precision, alone.scores.recall) == (1.0, 0.4)


def test_the_teacher_is_scored_on_what_it_answered() -> None:
    other = Example("2", "Bob", (Entity(0, 3, "PER", "Bob"),))
    scores = teacher_quality([GOLD, other], [label(TEXT, ADA)]).scores
    assert (scores.precision, scores.recall) == (1.0, 0.5)


def test_of_a_repeated_text_the_first_gold_counts() -> None:
    assert teacher_quality([GOLD, Example("2", TEXT, ())], [label(TEXT, ADA, OSLO)]).f1 == 1.0


def test_a_label_of_a_text_outside_the_stream_is_not_scored() -> None:
    assert teacher_quality([GOLD], [label("elsewhere", ADA), label(TEXT, ADA, OSLO)]).f1 == 1.0


def test_a_dead_letter_names_the_record_that_it_was() -> None:
    headers = [
        ("__connect.errors.topic", b"text"),
        ("__connect.errors.partition", b"1"),
        ("__connect.errors.offset", b"42"),
        ("theirs", b"\xff"),
    ]
    assert origin(headers) == "text-1-42"


def test_a_dead_letter_without_an_origin_is_an_error() -> None:
    with pytest.raises(KeyError):
        origin([])


MOOD = Task("mood", "en", (LabelSpec("glad"), LabelSpec("sad")), kind="categories", choose="one")
GLAD, SAD = (Example(x, x, (), categories=of_labels([x])) for x in ("glad", "sad"))


def test_of_categories_one_is_right_or_wrong() -> None:
    found = quality([GLAD, SAD, SAD, SAD], [GLAD, SAD, GLAD, SAD])
    assert found.headline(MOOD) == ("accuracy", 0.75)
    assert found.f1 == 0.75
    said = found.of_categories(MOOD)
    assert said.keys() == {"accuracy", "macro_f1"}
    assert said["macro_f1"] == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_of_any_number_the_exact_set_is_the_accuracy_and_f1_stands_beside_it() -> None:
    both = Example("3", "both", (), categories=of_labels(["glad", "sad"]))
    task = Task("mood", "en", MOOD.labels, kind="categories", choose="any")
    said = quality([both, GLAD], [GLAD, GLAD]).of_categories(task)
    assert said["accuracy"] == 0.5
    assert said["micro_f1"] == pytest.approx(0.8)


def test_nothing_of_categories_is_said_of_entities() -> None:
    task = Task("names", "en", (LabelSpec("PER"), LabelSpec("LOC")))
    found = quality([GOLD], [GOLD])
    assert found.of_categories(task) == {}
    assert found.headline(task) == ("f1", 1.0)


def test_the_whole_counts_the_cold_start_by_the_teachers_answers() -> None:
    seen = Observations()
    seen.add_event(event("a", ADA, OSLO))
    seen.add_label(label("cold", ADA))
    cold = [Example("c", "cold", (ADA,)), Example("d", "refused", (ADA,))]
    found = overall_quality(cold, {"a": GOLD}, seen)
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.scores.recall == pytest.approx(3 / 4)
