from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.categories import of_labels
from schemas.errors import ConfigError
from schemas.files.task import LabelSpec, Task, TaskExample
from schemas.types import Entity
from stream.cli.wizard.asking import Nobody
from stream.cli.wizard.wish import asked_wish, read_example, read_labels, read_variable

TASK = Task("t", "en", (LabelSpec("PER"), LabelSpec("LOC")))
MOODS = Task("m", "en", (LabelSpec("glad"), LabelSpec("sad")), kind="categories", choose="one")
ADA = Entity(0, 3, "PER", "Ada")


def test_a_person_who_only_says_the_labels_gets_the_defaults(
    interview: Any, tmp_path: Path
) -> None:
    wish = asked_wish(interview(Nobody(print), {"labels": "PER, LOC"}), tmp_path / "people")
    assert (wish.name, wish.kind, wish.choose, wish.language) == ("people", "entities", None, "en")
    assert [label.name for label in wish.labels] == ["PER", "LOC"]
    assert (wish.topic, wish.bootstrap_servers) == ("text", "localhost:9092")
    assert (wish.max_usd, wish.n_texts) == (2.0, 800)
    assert wish.teacher.base_url == "https://api.openai.com/v1"
    assert wish.key_variable == "SILVERSTREAM_TEACHER__API_KEY"


def test_without_labels_nobody_can_go_on(interview: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lack labels"):
        asked_wish(interview(Nobody(print), {}), tmp_path)


def test_another_model_is_asked_for_its_prices(
    interview: Any, scripted: Any, tmp_path: Path
) -> None:
    given = {
        "looking_for": "people",
        "teacher.base_url": "http://here/v1",
        "teacher.model": "other",
        "teacher.price_in_usd_per_million": 0.1,
    }
    person = scripted()
    wish = asked_wish(interview(person, given), tmp_path)
    assert "teacher.price_out_usd_per_million" in person.asked
    assert wish.teacher.price_in_usd_per_million == 0.1
    assert not wish.teacher.prices_are_another_models
    assert wish.key_variable == ""


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("name", "my stream", "letters, digits"),
        ("kind", "c, or e", "entities or categories"),
        ("language", False, "such as en"),
        ("labels", "two words", "no spaces"),
        ("labels", "A, A", "same name"),
        ("topic", "a b", "pattern"),
        ("topic", "stream.entities", "one of our own topics"),
        ("bootstrap_servers", "http://here", "host:port"),
        ("teacher.base_url", "ftp://here", "http"),
        ("teacher.base_url", "https://me:secret@here/v1", "stands in no file"),
        ("teacher.api_key_env", "sk-1234", "never the key itself"),
        ("max_usd", "nan", "0 or more"),
        ("max_usd", "-1", "0 or more"),
        ("n_texts", "1.5", "whole number"),
        ("example 1", {"text": "Ada", "entities": [{"surface": "Bo", "label": "PER"}]}, "not in"),
        ("example 1", {"text": "Ada", "entities": [{"surface": "Ada", "label": "X"}]}, "'X'"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(
    interview: Any, tmp_path: Path, key: str, value: Any, fault: str
) -> None:
    given = {"name": "stream", "labels": ["PER"], key: value}
    with pytest.raises(ConfigError, match=f"{key}: .*{fault}"):
        asked_wish(interview(Nobody(print), given), tmp_path)


def test_labels_are_read_in_every_form() -> None:
    described = LabelSpec("PER", "People.", ("Ada",))
    told = [{"name": "PER", "description": "People.", "examples": ["Ada"]}, "LOC"]
    assert read_labels(told, kind="entities", choose=None) == (described, LabelSpec("LOC"))
    assert read_labels({"PER": "People."}, kind="entities", choose=None) == (
        LabelSpec("PER", "People."),
    )
    assert read_labels(" very glad , sad", kind="categories", choose="one") == (
        LabelSpec("very glad"),
        LabelSpec("sad"),
    )
    assert read_labels("", kind="entities", choose=None) == ()
    for wrong in (7, [7], [{"nom": "PER"}], [{"name": "PER", "examples": [1]}]):
        with pytest.raises(ValueError, match=r"label|names"):
            read_labels(wrong, kind="entities", choose=None)
    with pytest.raises(ValueError, match="two at least"):
        read_labels("sad", kind="categories", choose="one")


def test_examples_are_texts_or_texts_with_their_labels() -> None:
    as_in_a_task = {"text": "Ada came", "entities": [{"surface": "Ada", "label": "PER"}]}
    as_in_gold = {"text": "Ada came", "entities": [{"start": 0, "end": 3, "label": "PER"}]}
    expected = TaskExample("Ada came", (ADA,))
    assert read_example(as_in_a_task, TASK) == expected
    assert read_example(as_in_gold, TASK) == expected
    assert read_example({"text": " Ada came "}, TASK) == "Ada came"
    assert read_example({"text": "Rain", "entities": []}, TASK) == TaskExample("Rain")
    mood = read_example({"text": "Rain", "categories": ["sad"]}, MOODS)
    assert mood == TaskExample("Rain", categories=of_labels(["sad"]))
    faults: list[Any] = [7, {"entities": []}, {"text": "Ada", "entities": [{"end": 3}]}]
    for wrong in faults:
        with pytest.raises(ValueError, match=r"example|entity"):
            read_example(wrong, TASK)


@pytest.mark.parametrize("told", ["sk-proj-abc", "sk_abc", "my key", "A" * 64, "1KEY", "Bearer"])
def test_a_key_is_never_taken_for_a_name_nor_repeated(told: str) -> None:
    with pytest.raises(ValueError, match="never the key itself") as refused:
        read_variable(told)
    assert told not in str(refused.value)


def test_a_name_is_taken_and_none_is_said_by_a_dash() -> None:
    assert read_variable("OPENAI_API_KEY") == "OPENAI_API_KEY"
    assert read_variable("-") == ""
