from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from distill.judging.promise import PromiseAsked
from distill.labels.doubts import Cleaned
from distill.labels.splits import Splits
from distill.learning.doubting import MIN_LABELS, clean
from distill.learning.making import silent
from distill.learning.student_maker import make_student
from schemas.files.task import Task
from schemas.settings import DistillSettings, DoubtSettings, Recipe
from schemas.types import Fact, SilverLabel

MakeLabel = Callable[..., SilverLabel]


@pytest.fixture
def labels(make_label: MakeLabel) -> list[SilverLabel]:
    """Ada and Bo at work, and one label that says there is nobody."""
    right = [
        make_label(f"{name} {verb} {word}")
        for name in ("Ada", "Bo")
        for verb in ("sings", "reads", "sleeps", "walks", "waits", "runs")
        for word in ("here", "there", "now", "again", "often", "late")
    ]
    return [*right, make_label("Ada sings slowly", entities=())]


def cleaned(
    labels: Sequence[SilverLabel], recipe: Recipe, task: Task, *, folds: int = 2
) -> tuple[Cleaned, list[str]]:
    asked: list[str] = []

    def second(texts: Sequence[str]) -> dict[str, frozenset[Fact]]:
        asked.extend(texts)
        return {}

    settings = DoubtSettings(folds=folds, weight=0.1)
    found = clean(
        labels, settings=settings, task=task, recipe=recipe, seed=0, second=second, progress=silent
    )
    return found, asked


def test_the_label_that_other_labels_contradict_is_found(
    labels: list[SilverLabel], recipe: Recipe, task: Task
) -> None:
    found, asked = cleaned(labels, recipe, task)
    assert asked == ["Ada sings slowly"]
    assert [doubt.label.text for doubt in found.doubts] == asked
    assert [label.weight for label in found.labels if label.text in asked] == [0.1]
    assert {label.weight for label in found.labels if label.text not in asked} == {1.0}


def test_without_folds_or_with_few_labels_nothing_is_doubted(
    labels: list[SilverLabel], recipe: Recipe, task: Task
) -> None:
    assert cleaned(labels, recipe, task, folds=0) == (Cleaned(labels), [])
    few = labels[-MIN_LABELS + 1 :]
    assert cleaned(few, recipe, task) == (Cleaned(few), [])


def test_labels_that_are_all_alike_have_nobody_to_doubt_them(
    make_label: MakeLabel, recipe: Recipe, task: Task
) -> None:
    alike = [make_label(f"Ada sings {i}") for i in range(MIN_LABELS)]
    found, asked = cleaned(alike, recipe, task)
    assert (found.doubts, asked) == ((), [])


def test_what_is_dropped_is_not_learnt(
    labels: list[SilverLabel], recipe: Recipe, task: Task
) -> None:
    made = make_student(
        Splits(training=tuple(labels), calibration=(), judge=()),
        settings=DistillSettings(doubt=DoubtSettings(folds=2, weight=0.0)),
        promise=PromiseAsked(),
        recipe=recipe.model_copy(update={"label_half_life": None}),
        task=task,
        version="v1",
        lineage={},
        unlabelled=list,
        second=lambda _: {},
        progress=silent,
    )
    assert [doubt.label.text for doubt in made.doubts] == ["Ada sings slowly"]
    assert made.bundle.manifest.metrics["training_examples"] == len(labels) - 1
