from __future__ import annotations

from typing import Any

import pytest

from schemas.files.corpus import Example
from schemas.types import Entity, EntityEvent, SilverLabel, text_digest
from stream.lab.client import origin
from stream.lab.observations import Observations
from stream.lab.scoring import stream_scores, teacher_scores
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
    assert stream_scores({"a": GOLD}, seen).f1 == 1.0


def test_a_record_without_an_event_costs_recall() -> None:
    seen = Observations()
    seen.add_event(event("a", ADA, OSLO))
    scores = stream_scores({"a": GOLD, "b": GOLD}, seen)
    assert scores.precision == 1.0
    assert scores.recall == 0.5


def test_the_teacher_is_scored_on_what_it_answered() -> None:
    other = Example("2", "Bob", (Entity(0, 3, "PER", "Bob"),))
    scores = teacher_scores([GOLD, other], [label(TEXT, ADA)])
    assert (scores.precision, scores.recall) == (1.0, 0.5)


def test_of_a_repeated_text_the_first_gold_counts() -> None:
    assert teacher_scores([GOLD, Example("2", TEXT, ())], [label(TEXT, ADA, OSLO)]).f1 == 1.0


def test_a_label_of_a_text_outside_the_stream_is_not_scored() -> None:
    assert teacher_scores([GOLD], [label("elsewhere", ADA), label(TEXT, ADA, OSLO)]).f1 == 1.0


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
