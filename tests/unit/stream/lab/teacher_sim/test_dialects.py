from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.categories import of_labels
from schemas.types import Entity
from stream.lab.teacher_sim.dialect import Dialect
from stream.lab.teacher_sim.dialects import DIALECTS
from stream.teacher.kinds.kind import kind_of
from stream.teacher.prompt import render_answer

TEXT = "Oslo, Ada, Oslo"
ENTITIES = (
    Entity(0, 4, "LOC", "Oslo"),
    Entity(6, 9, "PER", "Ada"),
    Entity(11, 15, "LOC", "Oslo"),
)
ANSWER = render_answer(TEXT, ENTITIES)
MOOD = render_answer(TEXT, of_labels(["glad"]), kind=kind_of("categories", "one"))


def occurrences(name: str) -> dict[str, list[Any]]:
    """The occurrences of each surface, as the dialect tells them."""
    body = DIALECTS[name].speak(ANSWER, TEXT).body
    told: dict[str, list[Any]] = {}
    for item in json.loads(body["choices"][0]["message"]["content"])["entities"]:
        told.setdefault(item["text"], []).append(item.get("occurrence", "none"))
    return told


def test_there_are_at_least_as_many_as_were_promised() -> None:
    assert len(DIALECTS) >= 25


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_a_dialect_is_pure_says_json_and_is_told_in_one_line(dialect: Dialect) -> None:
    answer = MOOD if dialect.kind == "categories" else ANSWER
    first, second = dialect.speak(answer, TEXT), dialect.speak(answer, TEXT)
    assert first == second
    assert json.loads(json.dumps(first.body)) == first.body
    assert "\n" not in dialect.about
    assert dialect.about.endswith(".")


@pytest.mark.parametrize(
    ("name", "oslo", "ada"),
    [
        ("all-first", [1, 1], [1]),
        ("no-occurrence", ["none", "none"], [1]),
        ("from-zero", [0, 1], [0]),
        ("string-numbers", ["1", "2"], ["1"]),
        ("once-too-often", [1, 2, 1], [1, 1]),
    ],
)
def test_repeated_names_are_counted_as_the_dialect_says(
    name: str, oslo: list[Any], ada: list[Any]
) -> None:
    assert occurrences(name) == {"Oslo": oslo, "Ada": ada}


def test_an_answer_without_a_way_to_be_misread_is_left_as_it_is() -> None:
    second = render_answer(TEXT, ENTITIES[1:])
    for name in ("all-first", "no-occurrence", "from-zero"):
        body = DIALECTS[name].speak(second, TEXT).body
        told = json.loads(body["choices"][0]["message"]["content"])["entities"]
        assert {"text": "Oslo", "label": "LOC", "occurrence": 2} in told


def test_a_draft_of_categories_names_none() -> None:
    said = DIALECTS["think-draft"].speak(MOOD, TEXT).body["choices"][0]["message"]["content"]
    assert '"category": [], "draft": true' in said
