"""Edits of a prompt: applied, asked for, and read without trust."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from schemas.errors import InvalidAnswerError
from schemas.files.prompt_words import worded, words_of
from schemas.files.task import TaskExample
from schemas.types import Entity
from stream.teacher.prompt import build_messages, prompt_version, response_schema
from stream.teacher.prompt_edits import (
    MAX_EDITS,
    MAX_EXAMPLES,
    MAX_GUIDELINES_CHARS,
    Edit,
    Mistake,
    edited,
    mistakes_json,
    proposal_messages,
    proposal_schema,
    read_proposal,
)
from stream.teacher.prompt_parts import answer_json, extract_text
from stream.testing.endpoints import MOOD_TASK, TASK

ADA = TaskExample("Met Ada in Oslo", (Entity(4, 7, "PER", "Ada"),))
MISTAKE = Mistake(ADA, frozenset({(4, 7, "PER")}), frozenset({(4, 10, "LOC")}))
WORDS = words_of(TASK)


def proposed(*edits: Any) -> str:
    return answer_json(mistakes_json([MISTAKE]), {"edits": list(edits)})


def an_edit(what: str, **members: Any) -> dict[str, Any]:
    return {"what": what, "label": "", "text": "", "number": 0, "why": "so", **members}


def test_a_guideline_is_added_as_a_line() -> None:
    words = edited(edited(WORDS, Edit("guideline", "No titles.")), Edit("guideline", "- Nor we."))

    assert words.guidelines == "- No titles.\n- Nor we."


def test_guidelines_are_replaced_labels_described_and_forms_set() -> None:
    words = edited(WORDS, Edit("guidelines", "Be good."))
    words = edited(words, Edit("description", "Persons.", label="PER"))
    words = edited(words, Edit("form", form="notes"))

    assert (words.guidelines, words.answer_form) == ("Be good.", "notes")
    assert [label.description for label in words.labels] == ["Persons.", "Places."]


def test_an_example_is_shown_once() -> None:
    words = edited(WORDS, Edit("example", example=ADA))

    assert words.examples == (ADA,)
    with pytest.raises(InvalidAnswerError, match="changes nothing"):
        edited(words, Edit("example", example=ADA))


@pytest.mark.parametrize(
    ("words", "edit"),
    [
        (WORDS, Edit("form", form="plain")),
        (WORDS, Edit("description", "Places.", label="LOC")),
        (replace(WORDS, guidelines="- A"), Edit("guideline", "A")),
        (replace(WORDS, guidelines="x" * MAX_GUIDELINES_CHARS), Edit("guideline", "A")),
        (
            replace(WORDS, examples=tuple(TaskExample(str(n)) for n in range(MAX_EXAMPLES))),
            Edit("example", example=ADA),
        ),
    ],
)
def test_edits_that_change_nothing_or_grow_too_long_are_refused(words: Any, edit: Edit) -> None:
    with pytest.raises(InvalidAnswerError):
        edited(words, edit)


def test_the_teacher_is_told_the_prompt_and_the_mistakes_as_data() -> None:
    system, user = proposal_messages(worded(TASK, replace(WORDS, guidelines="Be good.")), [MISTAKE])

    assert "Be good." in system["content"]
    assert "PER: People." in system["content"]
    text = extract_text([user])
    assert text == mistakes_json([MISTAKE])
    assert json.loads(text) == [
        {
            "number": 1,
            "text": "Met Ada in Oslo",
            "expected": [{"label": "PER", "text": "Ada"}],
            "answered": [{"label": "LOC", "text": "Ada in"}],
        }
    ]


def test_categories_are_told_without_spans() -> None:
    mistake = Mistake(TaskExample("Oh"), frozenset({(0, 0, "glad")}), frozenset())

    told = json.loads(mistakes_json([mistake]))[0]

    assert (told["expected"], told["answered"]) == ([{"label": "glad"}], [])


def test_every_sort_of_edit_is_read() -> None:
    said = proposed(
        an_edit("guideline", text="No  titles."),
        an_edit("description", label="per", text="Persons."),
        an_edit("example", number=1),
    )
    edits, unusable = read_proposal(f"<think>{{}}</think>\n{said}", TASK, [MISTAKE])

    assert unusable == 0
    assert [edit.words for edit in edits] == [
        "guideline added: No titles. (so)",
        "PER described as: Persons. (so)",
        "an example more (so)",
    ]
    assert edits[2].example == ADA
    more = proposed(an_edit("form", text="notes"), an_edit("guidelines", text="- a\n- b"))
    edits, unusable = read_proposal(more, MOOD_TASK, [MISTAKE])
    assert (edits[0].form, edits[1].text, unusable) == ("notes", "- a\n- b", 0)


@pytest.mark.parametrize(
    "edit",
    [
        None,
        "guideline",
        an_edit("delete"),
        an_edit("guideline"),
        an_edit("guideline", text=7),
        an_edit("guideline", text="x" * 601),
        an_edit("guideline", text="a\x00b"),
        an_edit("guideline", text="\ud800"),
        an_edit("description", text="Things.", label="THING"),
        an_edit("description", text="Places.", label="LOC"),
        an_edit("example", number=0),
        an_edit("example", number=2),
        an_edit("example", number="1"),
        an_edit("form", text="plain"),
        an_edit("form", text="haiku"),
        an_edit("guidelines", text="x" * 5000),
    ],
)
def test_an_edit_that_cannot_be_used_is_counted_beside_those_that_can(edit: Any) -> None:
    edits, unusable = read_proposal(proposed(edit, an_edit("form", text="notes")), TASK, [MISTAKE])

    assert (len(edits), unusable) == (1, 1)


@pytest.mark.parametrize(
    "said", ["", "I would say", answer_json("another text", {"edits": []}), proposed()[:-3]]
)
def test_an_answer_that_is_none_counts_as_one_unusable(said: str) -> None:
    assert read_proposal(said, TASK, [MISTAKE]) == ([], 1)


def test_no_more_edits_are_taken_than_were_asked_for() -> None:
    many = [an_edit("guideline", text=str(n)) for n in range(MAX_EDITS + 2)]

    edits, unusable = read_proposal(proposed(*many), TASK, [MISTAKE])

    assert (len(edits), unusable) == (MAX_EDITS, 2)


def test_the_schema_is_closed_as_strict_mode_wants_it() -> None:
    item = proposal_schema(TASK)["properties"]["edits"]["items"]

    assert item["required"] == list(item["properties"])
    assert item["additionalProperties"] is False


def test_notes_come_before_what_counts_in_schema_and_examples() -> None:
    task = replace(TASK, answer_form="notes", examples=(ADA, TaskExample("Nobody")))

    assert list(response_schema(task)["properties"]) == ["id", "notes", "entities"]
    shots = [json.loads(x["content"]) for x in build_messages(task, "x")[2:6:2]]
    assert [shot["notes"] for shot in shots] == ["Ada is PER", "nothing applies"]
    assert '"notes"' in build_messages(task, "x")[0]["content"]
    assert prompt_version(task) != prompt_version(replace(task, answer_form="plain"))
