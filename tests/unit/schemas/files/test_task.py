from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.errors import ConfigError
from schemas.files.task import LabelSpec, Task, TaskExample, load_task, task_yaml
from schemas.types import Entity

TASK = Task(
    name="places",
    language="no",
    labels=(LabelSpec("PER", "People.", ("Ada", "Grace")), LabelSpec("LOC", "Places.")),
    guidelines="Leave out articles.\nTake the longest.",
    examples=(
        TaskExample("Oslo, Oslo!", (Entity(6, 10, "LOC", "Oslo"),)),
        TaskExample("Nothing \U0001f600 here"),
    ),
)

YAML = """
name: places
labels:
  - name: LOC
    description: Cities.
    examples: [Oslo]
examples:
  - text: Ada is in Oslo
    entities: [{surface: Oslo, label: LOC}]
"""


def _written(folder: Path, text: str) -> Path:
    path = folder / "task.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_task_written_as_yaml_reads_back_equal(tmp_path: Path) -> None:
    again = load_task(_written(tmp_path, task_yaml(TASK)))
    assert again == TASK
    assert again.digest == TASK.digest


def test_a_short_file_gets_the_defaults_and_its_surfaces_are_located(tmp_path: Path) -> None:
    task = load_task(_written(tmp_path, YAML))
    assert task.language == "en"
    assert task.label_names == ("LOC",)
    assert task.examples[0].entities == (Entity(10, 14, "LOC", "Oslo"),)


@pytest.mark.parametrize(
    "other",
    [
        replace(TASK, guidelines=""),
        replace(TASK, labels=TASK.labels[::-1]),
        replace(TASK, examples=()),
        replace(TASK, language="en"),
    ],
)
def test_any_change_changes_the_digest(other: Task) -> None:
    assert other.digest != TASK.digest


def test_the_digest_is_that_of_the_canonical_json() -> None:
    json = (
        '{"examples":[],"guidelines":"é","labels":'
        '[{"description":"","examples":[],"name":"X"}],"language":"en","name":"a"}'
    )
    task = Task("a", "en", (LabelSpec("X"),), guidelines="é")
    assert task.digest == hashlib.sha256(json.encode()).hexdigest()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("name: places", "name: ../places", "must match"),
        ("name: places", "name: no", "name: Input should be a valid string"),
        ("name: places", "nam: places", "nam: Extra inputs"),
        ("name: LOC", "name: L OC", "printable"),
        ("name: LOC", 'name: ""', "printable"),
        ("label: LOC", "label: PER", "not one of the task's labels"),
        ("surface: Oslo", "surface: Rome", "is not in its example's text"),
        ("surface: Oslo", "surface: s", "occurs more than once"),
        ("surface: Oslo", "start: 9, surface: Oslo", "is not in its example's text"),
        ("labels:", "labels: []\nx:", "x: Extra inputs"),
        ("labels:", "labels: [", "cannot read the task file"),
    ],
)
def test_a_wrong_file_is_refused_with_its_path_and_the_fault(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    path = _written(tmp_path, YAML.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load_task(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "just words"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        load_task(_written(tmp_path, text))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the task file"):
        load_task(tmp_path / "none.yaml")


def test_two_labels_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="same name"):
        Task("a", "en", (LabelSpec("X"), LabelSpec("X")))


def test_a_task_without_labels_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one label"):
        Task("a", "en", ())


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(ConfigError, match="surrogate"):
        Task("a", "en", (LabelSpec("X", "\ud800"),))


def test_overlapping_entities_in_an_example_are_refused() -> None:
    entities = (Entity(0, 3, "X", "abc"), Entity(2, 4, "X", "cd"))
    with pytest.raises(ConfigError, match="example 1"):
        Task("a", "en", (LabelSpec("X"),), examples=(TaskExample("abcd", entities),))
