"""How students are really made: labels weighed by age, trained with torch, exported, calibrated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.ageing import AgedExample, aged, ages, settle_ageing
from distill.batches import TrainExample
from distill.calibration import choose_threshold
from distill.export import export_bundle
from distill.making import Made, Progress
from distill.splits import Splits
from distill.training import train
from schemas.settings import DistillSettings
from schemas.task import Task
from schemas.types import SilverLabel


def make_student(
    splits: Splits,
    *,
    settings: DistillSettings,
    task: Task,
    folder: Path,
    version: str,
    lineage: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """Train on the training split from the base model, and calibrate what was exported.

    Where the recipe leaves the labels' half-life to the labels, pilots settle it first.

    The threshold is the lowest confidence from which on the calibration records are right
    as often as `target_accuracy` asks; without calibration records everything is wanted.
    """
    training = _examples(splits.training)
    by_age = [AgedExample(*pair) for pair in zip(training, ages(splits.training), strict=True)]
    progress("weighing labels", 0.0)
    recipe, ageing = settle_ageing(by_age, task=task, recipe=settings.recipe, seed=settings.seed)
    trained = train(
        aged(by_age, ageing.half_life),
        labels=task.label_names,
        recipe=recipe,
        seed=settings.seed,
        progress=lambda done, of, _loss: progress("training", done / of),
    )
    progress("exporting", 0.0)
    calibration = _examples(splits.calibration)
    exported = export_bundle(
        trained,
        folder,
        task=task,
        version=version,
        calibration=calibration,
        # Texts drawn at random come first; the others were chosen because they are hard.
        parity_texts=[example.text for example in (*calibration, *training)],
        lineage=lineage,
    )
    return Made(
        threshold=choose_threshold(exported.confidences, exported.right, settings.target_accuracy),
        parity_failures=exported.parity_failures,
        facts={
            "training_s": trained.seconds,
            "training_cpu_s": trained.cpu_s,
            "steps": float(trained.steps),
            "loss": trained.loss,
            **ageing.facts(),
        },
    )


def _examples(labels: Sequence[SilverLabel]) -> list[TrainExample]:
    return [TrainExample(label.text, label.entities, label.weight) for label in labels]
