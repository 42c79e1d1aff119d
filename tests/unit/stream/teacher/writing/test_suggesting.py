from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.errors import InvalidAnswerError
from schemas.files.task import LabelSpec
from stream.teacher.writing.suggesting import (
    Sought,
    Suggestions,
    read_suggestions,
    suggestions_question,
)

SOUGHT = Sought(
    "entities", "nl", "defects", (LabelSpec("PRODUCT", "A thing."), LabelSpec("DEFECT"))
)
OPEN = Sought("entities", "nl", "defects in mail")


def answer(**members: Any) -> dict[str, Any]:
    labels = [
        {"name": "product", "description": "Other.", "examples": ["Senseo"]},
        {"name": "DEFECT", "description": " What is \n broken. ", "examples": ["kapot", "kapot"]},
        {"name": "EXTRA", "description": "Not asked for.", "examples": []},
    ]
    return {"labels": labels, "edge_cases": ["A."], "negatives": ["B."], **members}


def test_what_the_person_said_is_told_as_data() -> None:
    asked = json.loads(suggestions_question(SOUGHT).text)
    assert asked["looking_for"] == "defects"
    assert asked["labels"][0] == {"name": "PRODUCT", "description": "A thing.", "examples": []}
    assert "defects" not in suggestions_question(SOUGHT).system
    assert "mentions" in suggestions_question(SOUGHT).system
    assert "category" in suggestions_question(Sought("categories", "nl")).system


def test_labels_are_completed_and_what_the_person_said_stands() -> None:
    assert read_suggestions(answer(), SOUGHT) == Suggestions(
        (
            LabelSpec("PRODUCT", "A thing.", ("Senseo",)),
            LabelSpec("DEFECT", "What is broken.", ("kapot",)),
        ),
        ("A.",),
        ("B.",),
    )


def test_without_labels_those_that_are_proposed_are_taken_as_names_of_a_task() -> None:
    entry = {"name": "Product name", "description": "A thing.", "examples": []}
    found = read_suggestions(answer(labels=[entry, entry, {"name": ""}, 7]), OPEN)
    assert found.labels == (LabelSpec("Product_name", "A thing."),)
    many = [{"name": f"L{n}"} for n in range(99)]
    assert len(read_suggestions(answer(labels=many), OPEN).labels) == 12


def test_rules_are_lines_that_a_terminal_can_show() -> None:
    rules = ["ok", "ok", "", 7, "\x1b[2J", "x" * 301, "two\nlines", *"abcdefgh"]
    found = read_suggestions(answer(edge_cases=rules, negatives="none"), SOUGHT)
    assert found.edge_cases == ("ok", "two lines", "a", "b", "c", "d")
    assert found.negatives == ()


@pytest.mark.parametrize("labels", [None, "x", [], [{"name": "OTHER"}]])
def test_an_answer_about_no_label_is_none(labels: Any) -> None:
    with pytest.raises(InvalidAnswerError, match="no label"):
        read_suggestions(answer(labels=labels), SOUGHT)
    if not labels or isinstance(labels, str):
        with pytest.raises(InvalidAnswerError, match="no label"):
            read_suggestions(answer(labels=labels), OPEN)
