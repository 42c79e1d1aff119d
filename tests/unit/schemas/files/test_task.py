from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import ConfigError
from schemas.files.task import LabelSpec, Task, TaskExample
from schemas.files.task_file import load_task, task_yaml
from schemas.types import Category, Entity

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


CHOICES = (LabelSpec("no answer"), LabelSpec("glad", "Smiles."))
MOOD = Task("mood", "en", CHOICES, kind="categories", choose="one")


def test_a_task_of_categories_reads_back_equal(tmp_path: Path) -> None:
    changed = (replace(CHOICES[0], was=("silent", "mute")), replace(CHOICES[1], added=True))
    example = TaskExample("Yes!", categories=(Category("glad"),))
    task = replace(MOOD, labels=changed, choose="any", examples=(example,))
    assert load_task(_written(tmp_path, task_yaml(task))) == task


def test_one_earlier_name_needs_no_list(tmp_path: Path) -> None:
    task = load_task(_written(tmp_path, YAML.replace("name: LOC", "name: LOC\n    was: PLACE")))
    assert task.labels[0].was == ("PLACE",)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"choose": None}, "categories need choose"),
        ({"kind": "entities", "labels": CHOICES[1:]}, "choose is for categories"),
        ({"labels": CHOICES[:1]}, "two at least"),
        ({"labels": (*CHOICES, LabelSpec("a|b"))}, r"no \|"),
        ({"labels": (*CHOICES, LabelSpec(" a"))}, "printable"),
        ({"labels": (*CHOICES, LabelSpec("a", was=("glad",)))}, "once called"),
        ({"examples": (TaskExample("x"),)}, "0 categories, not exactly one"),
        ({"examples": (TaskExample("x", categories=(Category("sad"),)),)}, "not one of the task"),
        (
            {"examples": (TaskExample("x", (Entity(0, 1, "glad", "x"),)),)},
            "asks for categories",
        ),
    ],
)
def test_categories_that_contradict_themselves_are_refused(
    wrong: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        replace(MOOD, **wrong)


def test_categories_in_an_example_of_entities_are_refused() -> None:
    with pytest.raises(ConfigError, match="asks for entities"):
        replace(TASK, examples=(TaskExample("x", categories=(Category("PER"),)),))


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
