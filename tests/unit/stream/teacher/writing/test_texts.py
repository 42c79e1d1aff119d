from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.errors import InvalidAnswerError
from schemas.files.task import LabelSpec, Task
from stream.teacher.writing.texts import Draft, Seed, Written, read_texts, texts_question

TASK = Task("t", "nl", (LabelSpec("PER"), LabelSpec("ORG")))
MOODS = Task("m", "nl", (LabelSpec("glad"), LabelSpec("sad")), kind="categories", choose="one")
DRAFT = Draft("sea", "letter", "short", "plain", use=(Seed("PER", "Ada"),), trap="ORG")


def test_each_draft_is_one_item_of_the_question() -> None:
    question = texts_question(TASK, [DRAFT, DRAFT], turn=3)
    asked = json.loads(question.text)
    assert (asked["ask"], asked["turn"], len(asked["texts"])) == ("texts", 3, 2)
    assert asked["texts"][0] == {
        "domain": "sea",
        "style": "letter",
        "length": "short",
        "register": "plain",
        "use": [{"label": "PER", "name": "Ada"}],
        "trap": "ORG",
    }
    assert "language of the texts: nl" in question.system
    assert question.varied


def test_the_schema_asks_for_what_the_kind_says_of_a_text() -> None:
    def members(task: Task) -> set[str]:
        schema: Any = texts_question(task, [DRAFT], turn=0).members["texts"]
        return set(schema["items"]["properties"])

    assert members(TASK) == {"text", "entities"}
    assert members(MOODS) == {"text", "category"}


def test_a_text_comes_with_what_its_writer_meant() -> None:
    mention = {"text": "Ada", "label": "PER", "occurrence": 1}
    told = {"texts": [{"text": " Ada swims. ", "entities": [mention]}]}
    assert read_texts(told, TASK, most=5) == [Written("Ada swims.", frozenset({(0, 3, "PER")}))]
    mood = {"texts": [{"text": "Hurray", "category": "glad"}]}
    assert read_texts(mood, MOODS, most=5) == [Written("Hurray", frozenset({(0, 0, "glad")}))]


@pytest.mark.parametrize("entities", [None, "Ada", [{"text": "Bo", "label": "PER"}], [{}]])
def test_what_cannot_be_read_was_meant_by_nobody_but_the_text_stays(entities: object) -> None:
    told = {"texts": [{"text": "Ada swims.", "entities": entities}]}
    assert read_texts(told, TASK, most=5) == [Written("Ada swims.", None)]


def test_what_is_no_text_and_what_was_not_asked_for_is_left_out() -> None:
    told = {"texts": ["Ada", {"text": "  "}, {"text": 5}, {"text": "One."}, {"text": "Two."}]}
    assert [one.text for one in read_texts(told, TASK, most=3)] == ["One."]


def test_an_answer_without_a_list_is_none() -> None:
    with pytest.raises(InvalidAnswerError, match="no list of texts"):
        read_texts({"texts": "Ada swims."}, TASK, most=5)
