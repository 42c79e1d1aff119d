"""Doubting labels: students of the other folds say what they would have said of each text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from distill.labels.doubts import Cleaned, contradicted, fold_of, settle
from distill.lazily import Lazily
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
        return Cleaned(labels)
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
    texts = Lazily(lambda label: label.text, labels)
    fold = np.array([fold_of(text, folds) for text in texts], dtype=np.int64)
    found: dict[int, Tagging] = {}
    for number in range(folds):
        progress("doubting labels", number / folds)
        own, others = (np.flatnonzero(one).tolist() for one in (fold == number, fold != number))
        if not own or not others:
            continue
        known = Lazily(lambda i: as_train_example(labels[i], task), others)
        trained = train(known, task=task, recipe=recipe, seed=seed)
        taggings = tag_with(trained, Lazily(texts.__getitem__, own), task=task)
        found |= zip(own, taggings, strict=True)
    return [found.get(i) for i in range(len(labels))]
