from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from schemas.categories import of_labels
from schemas.errors import ConfigError
from schemas.files.task import LabelSpec, Task
from schemas.types import Entity
from stream.lab.teacher_sim.script import Script, load_verdicts
from stream.teacher.kinds.kind import ENTITIES, kind_of
from stream.teacher.question import Question
from stream.teacher.writing.planning import attributes_question, names_question, read_attributes
from stream.teacher.writing.suggesting import Sought, read_suggestions, suggestions_question
from stream.teacher.writing.texts import Draft, Written, read_texts, texts_question
from stream.teacher.writing.verdicts import Doubted, Verdict, read_verdicts, verdicts_question

TASK = Task("t", "en", (LabelSpec("PER"), LabelSpec("LOC")))
MOODS = Task("m", "en", (LabelSpec("glad"), LabelSpec("sad")), kind="categories", choose="one")
ANSWERS = {
    "Ask Ada": (Entity(4, 7, "PER", "Ada"),),
    "Ask Bo": (Entity(4, 6, "PER", "Bo"),),
    "Rain": (),
}
SCRIPT_TEXTS = ("Ask Ada", "Ask Bo", "Ask Ada", "Rain")
DRAFT = Draft("sea", "letter", "short", "plain")


def script(**changes: Any) -> Script:
    return Script(ENTITIES, SCRIPT_TEXTS, ANSWERS, **changes)


def ask(known: Script, question: Question) -> dict[str, Any]:
    answer = known.answer(json.loads(question.text), question.text)
    assert answer is not None
    members: dict[str, Any] = json.loads(answer)
    return members


def written(known: Script, *, n: int, turn: int) -> list[Written]:
    return read_texts(ask(known, texts_question(TASK, [DRAFT] * n, turn=turn)), TASK, most=n)


def test_texts_come_in_their_order_repeats_and_all_and_then_from_the_beginning() -> None:
    known = script()
    texts = [one.text for turn in range(3) for one in written(known, n=2, turn=turn)]
    assert texts == [*SCRIPT_TEXTS, "Ask Ada", "Ask Bo"]


def test_a_question_that_is_asked_again_gets_the_same_texts() -> None:
    known = script()
    first = written(known, n=2, turn=0)
    written(known, n=1, turn=1)
    assert written(known, n=2, turn=0) == first


def test_with_each_text_comes_what_it_says() -> None:
    assert written(script(), n=1, turn=0) == [Written("Ask Ada", frozenset({(4, 7, "PER")}))]
    moods = Script(kind_of("categories", "one"), ["Rain"], {"Rain": of_labels(["sad"])})
    told = ask(moods, texts_question(MOODS, [DRAFT], turn=0))
    assert read_texts(told, MOODS, most=1) == [Written("Rain", frozenset({(0, 0, "sad")}))]


def test_plans_are_made_of_what_was_written() -> None:
    assert len(read_attributes(ask(script(), attributes_question(TASK, count=3))).domains) == 3

    def names(known: list[str]) -> list[str]:
        question = names_question(TASK, TASK.labels[0], count=5, rare=False, known=known)
        found: list[str] = ask(script(), question)["names"]
        return found

    assert names([]) == ["Ada", "Bo"]
    assert names(["Ada"]) == ["Bo"]
    assert names(["Ada", "Bo"]) == ["Ada", "Bo"]


def test_suggestions_describe_what_is_asked_about_or_else_what_is_known() -> None:
    some = Sought("entities", "en", labels=(LabelSpec("PER"),))
    found = read_suggestions(ask(script(), suggestions_question(some)), some)
    assert found.labels[0].name == "PER"
    assert found.labels[0].examples == ("Ada", "Bo")
    assert found.labels[0].description
    assert found.edge_cases
    assert found.negatives
    none = Sought("entities", "en")
    known = read_suggestions(ask(script(), suggestions_question(none)), none)
    assert [label.name for label in known.labels] == ["PER"]


def test_who_has_written_nothing_writes_nothing() -> None:
    question = texts_question(TASK, [DRAFT], turn=0)
    assert Script().answer(json.loads(question.text), question.text) is None


def test_verdicts_are_those_of_the_file_and_none_where_nothing_was_said(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = [
        {"mention": "Ada", "verdict": "correct", "correction": None},
        {"mention": "Bo", "verdict": "wrong_type", "correction": "location"},
        {"mention": "Cy", "verdict": "wrong_type", "correction": "other"},
        {"mention": "Dr. Di", "verdict": "wrong_boundary", "correction": "Di"},
        {"mention": "Ed", "verdict": "not_named_entity", "correction": None},
    ]
    told = "".join(json.dumps({"text": "All", "label": "PER", **line}) + "\n" for line in lines)
    file = tmp_path / "verdicts.jsonl.gz"
    file.write_bytes(gzip.compress(told.encode()))
    known = script(verdicts=load_verdicts([file], ["PER", "LOC"]))
    doubted = [Doubted("All", "PER", str(line["mention"]), 1) for line in lines]
    doubted += [Doubted("All", "LOC", "Ada", 1)]
    assert read_verdicts(ask(known, verdicts_question(TASK, doubted)), doubted, TASK) == [
        Verdict("right"),
        Verdict("other_label", "LOC"),
        Verdict("wrong"),
        Verdict("other_span", "PER", "Di"),
        Verdict("wrong"),
        None,
    ]


def test_verdicts_on_categories_name_no_mention(tmp_path: Path) -> None:
    file = tmp_path / "verdicts.jsonl"
    line = {"text": "Rain", "label": "glad", "verdict": "wrong_type", "correction": "sad"}
    file.write_text(json.dumps(line) + "\n", encoding="utf-8")
    known = Script(verdicts=load_verdicts([file], ["glad", "sad"]))
    doubted = [Doubted("Rain", "glad")]
    told = ask(known, verdicts_question(MOODS, doubted))
    assert read_verdicts(told, doubted, MOODS) == [Verdict("other_label", "sad")]


@pytest.mark.parametrize("line", ["no JSON", "[]", '{"text": "a", "label": "b"}'])
def test_a_line_that_is_no_verdict_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "verdicts.jsonl"
    file.write_text(f"{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"verdicts\.jsonl:1"):
        load_verdicts([file], ["PER"])
