from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.categories import of_labels
from schemas.errors import ConfigError
from schemas.files.corpus import Example, reading
from schemas.files.task import LabelSpec, Task
from schemas.types import Entity
from stream.lab.teacher_sim.answers import Repertoire, answers_of, load_answers
from stream.teacher.kinds.kind import ENTITIES, kind_of

GLAD, SAD = of_labels(["glad"]), of_labels(["sad"])
ADA = [{"start": 0, "end": 3, "label": "PER"}]


def written(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def test_answers_are_read_from_other_formats(tmp_path: Path) -> None:
    (tmp_path / "a").write_text('{"tokens": ["Ada"], "ner_tags": [1]}', encoding="utf-8")
    how = reading("hf", label_names="O,B-PER")
    assert load_answers([tmp_path / "a"], how=how).answers == {"Ada": (Entity(0, 3, "PER", "Ada"),)}


def test_gold_or_recorded_answers_are_read_and_the_first_of_a_text_counts(tmp_path: Path) -> None:
    one = written(
        tmp_path / "one.jsonl",
        {"id": "1", "text": "Ada", "entities": ADA},
        {"id": "2", "text": "Bob", "entities": [], "llm_entities": ADA},
    )
    two = written(tmp_path / "two.jsonl", {"id": "3", "text": "Ada", "entities": []})
    assert load_answers([one, two]).answers == {"Ada": (Entity(0, 3, "PER", "Ada"),), "Bob": ()}
    assert load_answers([one, two], origin="llm").answers == {"Bob": (Entity(0, 3, "PER", "Bob"),)}


def test_files_without_any_answer_are_a_user_error(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", {"id": "1", "text": "Ada", "entities": ADA})
    with pytest.raises(ConfigError, match="llm"):
        load_answers([path], origin="llm")


def test_files_of_categories_are_known_by_what_they_say() -> None:
    one = [Example("1", "a", (), categories=GLAD), Example("2", "b", (), categories=SAD)]
    loaded = answers_of(one)
    assert loaded.answers == {"a": GLAD, "b": SAD}
    assert (
        Repertoire(loaded.answers, loaded.kind).answer("a")
        == '{"id": "ca978112", "category": "glad"}'
    )
    several = answers_of([*one, Example("3", "c", (), categories=())])
    answer = Repertoire(several.answers, several.kind).answer("c")
    assert answer is not None
    assert '"categories": []' in answer


def test_recorded_categories_answer_and_what_has_none_is_refused() -> None:
    examples = [
        Example("1", "a", (), categories=GLAD, llm_categories=SAD),
        Example("2", "b", (), categories=SAD),
    ]
    assert answers_of(examples, origin="llm").answers == {"a": SAD}
    with pytest.raises(ConfigError, match="no llm answer"):
        answers_of(examples[1:], origin="llm")


def test_a_task_says_the_kind_that_the_files_leave_open() -> None:
    task = Task("mood", "en", (LabelSpec("glad"),), kind="categories", choose="any")
    loaded = answers_of([Example("1", "a", (), categories=())], task=task)
    assert loaded.kind.name == "categories"
    assert answers_of([Example("1", "a", ())]).kind.name == "entities"


def test_wrong_labels_are_others_that_are_known() -> None:
    ada = (Entity(0, 3, "PER", "Ada"), Entity(7, 11, "LOC", "Oslo"))
    wrong = Repertoire({"Ada in Oslo": ada}, ENTITIES).mislabelled("Ada in Oslo")
    assert wrong is not None
    assert [(x["text"], x["label"]) for x in json.loads(wrong)["entities"]] == [
        ("Ada", "LOC"),
        ("Oslo", "PER"),
    ]
    moods = Repertoire({"a": GLAD, "b": SAD}, kind_of("categories", "one"))
    assert '"category": "sad"' in str(moods.mislabelled("a"))
    assert moods.mislabelled("never seen") is None


def test_what_a_recorded_teacher_got_wrong_is_said_as_it_is() -> None:
    both = of_labels(["glad", "sad"])
    answer = Repertoire({"a": both}, kind_of("categories", "one")).answer("a")
    assert '"category": ["glad", "sad"]' in str(answer)


def test_the_kind_is_that_of_the_labels_whatever_a_recorded_teacher_said() -> None:
    both = of_labels(["glad", "sad"])
    gold = [Example("1", "a", (), categories=GLAD, llm_categories=both)]
    loaded = answers_of(gold, origin="llm")
    answer = Repertoire(loaded.answers, loaded.kind).answer("a")
    assert '"category": ["glad", "sad"]' in str(answer)
    without = [Example("1", "a", (), llm_categories=SAD), Example("2", "b", ())]
    assert answers_of(without, origin="llm").answers == {"a": SAD}


def test_files_of_two_kinds_are_refused() -> None:
    ada = Example("1", "Ada", (Entity(0, 3, "PER", "Ada"),))
    with pytest.raises(ConfigError, match="1 has entities, others have categories"):
        answers_of([ada, Example("2", "b", (), categories=SAD)])
