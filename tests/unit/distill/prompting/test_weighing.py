"""How much labels of older prompts count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from distill.labels.splits import Splits
from distill.prompting.weighing import MIN_WEIGHT, agreements_with, weighed, weighed_by_prompt
from schemas.files.prompt_file import InUse, PromptVersion
from schemas.files.prompt_words import PromptWords, worded, words_of
from schemas.files.task import LabelSpec, Task
from schemas.files.task_file import task_yaml
from schemas.files.task_in_use import asked_task, prompt_folder
from schemas.settings import Settings
from stream.teacher.prompt import prompt_version
from stream.testing.messages import a_label

TASK = Task("people", "en", (LabelSpec("PER", "People."),))
FIRST, SECOND, THIRD = (replace(words_of(TASK), guidelines=x) for x in ("", "b", "c"))


def version(words: PromptWords, parent: PromptWords, agreement: float | None) -> PromptVersion:
    return PromptVersion(words, parent.version, agreement=agreement)


VERSIONS = [PromptVersion(FIRST), version(SECOND, FIRST, 0.8), version(THIRD, SECOND, 0.5)]


@pytest.mark.parametrize(
    ("in_use", "agreements"),
    [
        (THIRD, {FIRST.version: 0.4, SECOND.version: 0.5}),
        (SECOND, {FIRST.version: 0.8, THIRD.version: 0.5}),
        (FIRST, {SECOND.version: 0.8, THIRD.version: 0.4}),
    ],
)
def test_agreement_is_multiplied_along_the_way(
    in_use: PromptWords, agreements: dict[str, float]
) -> None:
    assert agreements_with(in_use.version, VERSIONS) == pytest.approx(agreements)


def test_nothing_is_known_of_versions_that_were_not_compared() -> None:
    apart = [VERSIONS[0], version(SECOND, FIRST, None)]

    assert agreements_with(SECOND.version, apart) == {}


def test_labels_of_older_prompts_count_less_and_others_as_they_did() -> None:
    labels = [replace(a_label(), weight=0.5, prompt_version=x) for x in ("old", "", "new")]

    found = weighed(labels, {"old": 0.8})

    assert [label.weight for label in found] == [0.4, 0.5, 0.5]


def test_no_label_counts_nothing() -> None:
    (label,) = weighed([replace(a_label(), weight=1.0, prompt_version="old")], {"old": 0.0})

    assert label.weight == MIN_WEIGHT


def test_a_round_weighs_by_the_prompt_in_use(tmp_path: Path) -> None:
    file = tmp_path / "task.yaml"
    file.write_text(task_yaml(TASK), encoding="utf-8")
    settings = Settings(task=file)
    folder = prompt_folder(settings, TASK)
    for one in VERSIONS:
        folder.add(one)
    asked = [prompt_version(worded(TASK, words)) for words in (FIRST, SECOND, THIRD)]
    labels = tuple(replace(a_label(), weight=1.0, prompt_version=x) for x in (*asked, "p"))
    splits = Splits(labels, (), ())

    by_file = weighed_by_prompt(splits, settings, asked_task(settings))
    folder.use(InUse(SECOND.version, FIRST.version))
    by_second = weighed_by_prompt(splits, settings, asked_task(settings))

    assert [x.weight for x in by_file.training] == pytest.approx([1.0, 0.8, 0.4, 1.0])
    assert [x.weight for x in by_second.training] == pytest.approx([0.8, 1.0, 0.5, 1.0])
    assert by_second.counts()["of_older_prompts"] == 2
    assert "of_older_prompts" not in splits.counts()
