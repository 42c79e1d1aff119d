"""Doubting labels: students of the other folds say what they would have said of each text."""

from __future__ import annotations

from collections.abc import Sequence

from distill.labels.doubts import Cleaned, contradicted, fold_of, settle
from distill.learning.ageing import as_train_example
from distill.learning.making import Progress, SecondOpinion
from distill.learning.tagging import tag_with
from distill.training.train import train
from schemas.files.task import Task
from schemas.settings import DoubtSettings, Recipe
from schemas.types import SilverLabel, Tagging

MIN_LABELS = 40
"""Students of fewer labels are no judges of them."""


def clean(
    labels: Sequence[SilverLabel],
    *,
    settings: DoubtSettings,
    task: Task,
    recipe: Recipe,
    seed: int,
    second: SecondOpinion,
    progress: Progress,
) -> Cleaned:
    """Doubt the labels, as `settings` say, and settle what is doubted; see `distill.labels.doubts`.

    Raises as `train`.
    """
    if not settings.folds or len(labels) < MIN_LABELS:
        return Cleaned(tuple(labels))
    taggings = cross_tagged(
        labels, folds=settings.folds, task=task, recipe=recipe, seed=seed, progress=progress
    )
    doubted = contradicted(labels, taggings, task)
    opinions = second([label.text for label, _ in doubted]) if doubted else {}
    return settle(labels, doubted, opinions, task=task, weight=settings.weight)


def cross_tagged(
    labels: Sequence[SilverLabel],
    *,
    folds: int,
    task: Task,
    recipe: Recipe,
    seed: int,
    progress: Progress,
) -> list[Tagging | None]:
    """Tag the text of each label by a student of the other folds, in the labels' order.

    None where there are no other labels: all are alike.
    """
    fold = [fold_of(label.text, folds) for label in labels]
    found: dict[int, Tagging] = {}
    for number in range(folds):
        progress("doubting labels", number / folds)
        own = [i for i, of in enumerate(fold) if of == number]
        others = [as_train_example(labels[i], task) for i, of in enumerate(fold) if of != number]
        if not own or not others:
            continue
        trained = train(others, task=task, recipe=recipe, seed=seed)
        taggings = tag_with(trained, [labels[i].text for i in own], task=task)
        found |= zip(own, taggings, strict=True)
    return [found.get(i) for i in range(len(labels))]
