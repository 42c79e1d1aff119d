from __future__ import annotations

import json

import pytest

from schemas.errors import InvalidAnswerError
from schemas.files.task import LabelSpec, Task
from stream.teacher.writing.planning import (
    ATTRIBUTES,
    Attributes,
    attributes_question,
    names_question,
    read_attributes,
    read_names,
)

TASK = Task("t", "nl", (LabelSpec("PER", "A person."), LabelSpec("ORG")), "Leave out titles.")
MOODS = Task("m", "nl", (LabelSpec("glad"), LabelSpec("sad")), kind="categories", choose="one")


def test_the_teacher_is_told_language_labels_and_guidelines() -> None:
    for question in (
        attributes_question(TASK, count=5),
        names_question(TASK, TASK.labels[0], count=5, rare=False, known=()),
    ):
        for told in ("language of the texts: nl", "PER: A person.", "Leave out titles."):
            assert told in question.system


def test_names_are_asked_for_by_label_and_those_that_are_known_are_shown() -> None:
    question = names_question(TASK, TASK.labels[1], count=7, rare=True, known=["IBM"])
    asked = {"ask": "names", "label": "ORG", "count": 7, "rare": True, "known": ["IBM"]}
    assert json.loads(question.text) == asked


def test_of_categories_situations_are_asked_for() -> None:
    question = names_question(MOODS, MOODS.labels[0], count=7, rare=False, known=())
    assert "situations" in question.system
    assert "mentions" not in question.system


def test_attributes_are_read_without_repeats_blanks_and_essays() -> None:
    told = {name: [" at  sea ", "at sea", "", 5, "x" * 201] for name in ATTRIBUTES}
    assert read_attributes(told) == Attributes(*[("at sea",)] * 4)


@pytest.mark.parametrize("missing", [{}, {"styles": []}, {"styles": "letters"}, {"styles": [1]}])
def test_an_attribute_without_a_value_is_no_answer(missing: dict[str, object]) -> None:
    told = {name: ["one"] for name in ATTRIBUTES if name != "styles"}
    with pytest.raises(InvalidAnswerError, match="styles"):
        read_attributes(told | missing)


def test_names_are_read_in_order() -> None:
    assert read_names({"names": ["Bo", "Ada", "Bo"]}) == ("Bo", "Ada")
    with pytest.raises(InvalidAnswerError, match="names"):
        read_names({"names": []})
