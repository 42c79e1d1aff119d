from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.canaries.holds import Hold
from schemas.errors import ConfigError
from schemas.files.corpus import Example
from schemas.files.task import LabelSpec, Task
from schemas.types import Entity, SilverLabel
from stream.revise import rulings
from stream.revise.deciding import KnownAnswer, Ruling
from stream.testing.messages import a_label

TASK = Task("test", "en", (LabelSpec("PER"), LabelSpec("LOC")))
ADA = Entity(0, 3, "PER", "Ada")
EXAMPLE = Example("1", "Ada", (ADA,))
LABEL = a_label(text="Ada", entities=(ADA,), source="human", task_digest=TASK.digest)


def test_what_a_file_says_counts_from_now_on() -> None:
    found = rulings.of_examples([EXAMPLE, replace(EXAMPLE, id="2")], TASK, now_ms=9)
    assert found == {"Ada": Ruling((ADA,), (), since_ms=9)}


def test_two_answers_to_one_text_are_refused_by_their_ids() -> None:
    with pytest.raises(ConfigError, match="1 and 2 are one text, labelled differently"):
        rulings.of_examples([EXAMPLE, Example("2", "Ada", ())], TASK, now_ms=9)


def test_a_label_that_the_task_lacks_is_refused() -> None:
    with pytest.raises(ConfigError, match="the text 1: 'ORG' is not one of the task's labels"):
        rulings.of_examples([Example("1", "Ada", (replace(ADA, label="ORG"),))], TASK, now_ms=9)


def test_labels_by_people_count_since_they_were_given() -> None:
    assert rulings.of_labels([LABEL], TASK) == {"Ada": Ruling((ADA,), (), since_ms=3)}


def test_labels_by_teachers_are_no_rulings() -> None:
    teachers = [replace(LABEL, source="teacher"), replace(LABEL, source="bootstrap")]
    assert rulings.of_labels(teachers, TASK) == {}


def test_labels_that_do_not_answer_all_of_todays_task_are_left_out() -> None:
    earlier = Task("test", "en", (LabelSpec("PER"),))
    wider = Task("test", "en", (LabelSpec("PER"), LabelSpec("LOC", added=True)))
    then = replace(LABEL, task_digest=earlier.digest)

    assert rulings.of_labels([then], TASK) == {}
    assert rulings.of_labels([then], wider) == {}
    assert rulings.of_labels([then], earlier) != {}


def test_answers_are_the_first_teachers_about_the_whole_text() -> None:
    asked = replace(LABEL, source="judging", teacher_model="gpt", prompt_version="p1")
    said = {"Ada": KnownAnswer((ADA,), (), "gpt", "p1")}
    assert answers(asked) == said
    assert answers(replace(asked, teacher="a")) == said
    assert answers(LABEL) == {}, "a person's"
    assert answers(replace(asked, asked="unsure")) == {}
    assert answers(replace(asked, teacher="b")) == {}
    assert answers(replace(asked, task_digest="another")) == {}


def test_what_the_teacher_said_while_he_was_doubted_is_no_answer() -> None:
    asked = replace(LABEL, source="judging", labelled_at_ms=15)
    assert answers(asked, Hold(since_ms=10)) == {}
    assert answers(asked, Hold(since_ms=20), Hold(since_ms=10, released=True)) != {}


def answers(label: SilverLabel, *holds: Hold) -> dict[str, KnownAnswer]:
    return rulings.answers_of_labels([label], TASK, holds=holds, first_teacher="a")
