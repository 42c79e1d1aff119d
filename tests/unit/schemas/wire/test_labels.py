from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.errors import DecodeError
from schemas.files.corpus import Example
from schemas.files.task import LabelSpec, Task
from schemas.types import Category, Entity, Opinion, SilverLabel
from schemas.wire.codec import Codec
from schemas.wire.labels import cold_label, teacher_label
from stream.teacher.protocol import Answer
from stream.testing.messages import a_label, a_request

ENTITIES = (Entity(0, 3, "PER", "Ada"),)


ANSWER = Answer(ENTITIES, "m", "pv", tokens_in=11, tokens_out=3, cached=False)


REQUEST = a_request(task="people", record_id="news-3-41", text="Ada")


def test_a_label_of_the_stream_names_all_that_made_it() -> None:
    label = teacher_label(replace(REQUEST, audit=True), ANSWER, task_digest="answered", now_ms=9)
    assert (label.text, label.entities, label.source) == ("Ada", ENTITIES, "teacher")
    assert (label.task, label.task_digest, label.audit) == ("people", "answered", True)
    assert (label.teacher_model, label.prompt_version) == ("m", "pv")
    assert (label.student_version, label.record_id) == ("v1", "news-3-41")
    assert (label.tokens_in, label.tokens_out, label.labelled_at_ms) == (11, 3, 9)
    assert not teacher_label(REQUEST, ANSWER, task_digest="d", now_ms=9).audit


def test_a_cold_label_has_no_record_and_no_student() -> None:
    task = Task("people", "en", (LabelSpec("PER"),))
    asked = cold_label("Ada", ANSWER, task=task, source="bootstrap", now_ms=9, answer=ANSWER)
    assert (asked.task, asked.task_digest, asked.source) == ("people", task.digest, "bootstrap")
    assert (asked.record_id, asked.student_version, asked.audit) == ("", "", False)
    assert (asked.teacher_model, asked.prompt_version, asked.tokens_in) == ("m", "pv", 11)
    told = cold_label("Ada", Example("1", "Ada", ENTITIES), task=task, source="human", now_ms=9)
    assert (told.entities, told.source, told.teacher_model) == (ENTITIES, "human", "")


def test_categories_travel_in_labels_too() -> None:
    glad = (Category("glad"),)
    answer = replace(ANSWER, entities=(), categories=glad)
    assert teacher_label(REQUEST, answer, task_digest="d", now_ms=9).categories == glad
    task = Task("people", "en", (LabelSpec("PER"),))
    told = cold_label("Ada", answer, task=task, source="human", now_ms=9)
    assert (told.entities, told.categories) == ((), glad)


@pytest.mark.parametrize("names", [("sad", "glad"), ("sad", "sad"), ("",)])
def test_categories_out_of_order_or_without_a_name_are_not_read(names: tuple[str, ...]) -> None:
    label = a_label(categories=tuple(map(Category, names)))
    with pytest.raises(DecodeError):
        Codec().decode(SilverLabel, Codec().encode(label, "silver-labels"))


OPINIONS = (
    Opinion("", "v1", ((0, 3, "PER"),), 0.4),
    Opinion("cheap", "small", ((0, 0, "glad"), (4, 7, "LOC"))),
)


def test_a_label_tells_which_of_several_teachers_answered_and_what_others_say() -> None:
    answer = replace(ANSWER, teacher="best")
    label = teacher_label(REQUEST, answer, task_digest="d", now_ms=9, opinions=OPINIONS)
    assert (label.teacher, label.opinions) == ("best", OPINIONS)
    assert Codec().decode(SilverLabel, Codec().encode(label, "silver-labels")) == label
    task = Task("people", "en", (LabelSpec("PER"),))
    cold = cold_label("Ada", answer, task=task, source="bootstrap", now_ms=9, answer=answer)
    assert (cold.teacher, cold.opinions) == ("best", ())


@pytest.mark.parametrize(
    "opinion", [replace(OPINIONS[0], confidence=2.0), replace(OPINIONS[0], facts=((3, 1, "X"),))]
)
def test_an_opinion_that_makes_no_sense_is_not_read(opinion: Opinion) -> None:
    label = a_label(opinions=(opinion,))
    with pytest.raises(DecodeError):
        Codec().decode(SilverLabel, Codec().encode(label, "silver-labels"))
