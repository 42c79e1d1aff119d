from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.errors import InvalidAnswerError
from schemas.files.task import LabelSpec, Task
from stream.teacher.writing.verdicts import Doubted, Verdict, read_verdicts, verdicts_question

TASK = Task("t", "en", (LabelSpec("PER"), LabelSpec("ORG")))
MOODS = Task("m", "en", (LabelSpec("glad"), LabelSpec("sad")), kind="categories", choose="one")
DOUBTED = [Doubted("Ask Dr. Ada", "PER", "Dr. Ada", 1)]


def test_each_doubted_fact_is_one_item() -> None:
    asked = json.loads(verdicts_question(TASK, DOUBTED).text)
    item = {"item": 1, "text": "Ask Dr. Ada", "mention": "Dr. Ada", "occurrence": 1, "label": "PER"}
    assert asked == {"ask": "verdicts", "items": [item]}
    mood = json.loads(verdicts_question(MOODS, [Doubted("Hm", "sad")]).text)
    assert mood["items"] == [{"item": 1, "text": "Hm", "label": "sad"}]


@pytest.mark.parametrize(
    ("entry", "verdict"),
    [
        ({"verdict": "right"}, Verdict("right")),
        ({"verdict": "wrong", "label": ""}, Verdict("wrong")),
        ({"verdict": "other_label", "label": "org"}, Verdict("other_label", "ORG")),
        ({"verdict": "other_label", "label": "LOC"}, None),
        (
            {"verdict": "other_span", "span": " Ada ", "label": ""},
            Verdict("other_span", "", "Ada"),
        ),
        ({"verdict": "other_span", "span": ""}, None),
        ({"verdict": "perhaps"}, None),
        ({}, None),
    ],
)
def test_a_verdict_is_read_or_is_no_use(entry: dict[str, Any], verdict: Verdict | None) -> None:
    assert read_verdicts({"verdicts": [{"item": 1, **entry}]}, DOUBTED, TASK) == [verdict]


def test_a_category_has_no_other_words() -> None:
    entry = {"item": 1, "verdict": "other_span", "span": "Hm"}
    assert read_verdicts({"verdicts": [entry]}, [Doubted("Hm", "sad")], MOODS) == [None]


def test_verdicts_find_their_items_in_any_order_and_two_on_one_are_none() -> None:
    doubted = DOUBTED * 3
    told = [
        {"item": 3, "verdict": "wrong"},
        {"item": 1, "verdict": "right"},
        {"item": 1, "verdict": "wrong"},
        {"item": 9, "verdict": "right"},
        "right",
    ]
    assert read_verdicts({"verdicts": told}, doubted, TASK) == [None, None, Verdict("wrong")]


def test_an_answer_without_a_list_is_none() -> None:
    with pytest.raises(InvalidAnswerError, match="no list of verdicts"):
        read_verdicts({}, DOUBTED, TASK)
