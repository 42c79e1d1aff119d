"""Doubting labels: students of the other folds say what they would have said of each text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from distill.labels.doubts import Cleaned, contradicted, fold_of, settle, surest_first
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
    doubted = cross_contradicted(
        labels, folds=settings.folds, task=task, recipe=recipe, seed=seed, progress=progress
    )
    opinions = second([label.text for label, _ in doubted]) if doubted else {}
    return settle(labels, doubted, opinions, task=task, weight=settings.weight)


def cross_contradicted(
    labels: Sequence[SilverLabel],
    *,
    folds: int,
    task: Task,
    recipe: Recipe,
    seed: int,
    progress: Progress,
) -> list[tuple[SilverLabel, Tagging]]:
    """Find the labels that a student of the other folds contradicts, the surest first.

    Where there are no other labels, all being alike, nobody contradicts.
    """
    texts = Lazily(lambda label: label.text, labels)
    fold = np.fromiter((fold_of(text, folds) for text in texts), np.int64, len(labels))
    found: list[tuple[SilverLabel, Tagging]] = []
    for number in range(folds):
        progress("doubting labels", number / folds)
        own, others = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        if not len(own) or not len(others):
            continue
        known = Lazily(lambda i: as_train_example(labels[i], task), others)
        trained = train(known, task=task, recipe=recipe, seed=seed)
        taggings = tag_with(trained, Lazily(texts.__getitem__, own), task=task)
        found += contradicted(Lazily(labels.__getitem__, own), taggings, task)
    return surest_first(found)
