"""A student that is trained once, and kept for the next run of a benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from distill.bundle.export import export_bundle
from distill.training.batches import TrainExample
from distill.training.train import train
from schemas.files.bundle import save_bundle
from schemas.files.task import Task
from schemas.settings import Recipe
from stream.student import Student

_CALIBRATION_TEXTS = 100


def kept_student(
    rows: Sequence[TrainExample], task: Task, recipe: Recipe, *, keep: Path | None, seed: int = 0
) -> Student:
    """Load the student in `keep`; where there is none, train it, the first rows calibrating."""
    if keep and keep.exists():
        return Student.load(keep)
    calibration = rows[:_CALIBRATION_TEXTS]
    exported = export_bundle(
        train(rows[_CALIBRATION_TEXTS:], task=task, recipe=recipe, seed=seed),
        task=task,
        version="v1",
        calibration=calibration,
        parity_texts=[one.text for one in calibration],
        lineage={},
    )
    if keep:
        keep.parent.mkdir(parents=True, exist_ok=True)
        save_bundle(exported.bundle, keep)
    return Student(exported.bundle)
