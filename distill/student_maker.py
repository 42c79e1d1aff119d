"""How students are really made: trained with torch, exported, calibrated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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

    The threshold is the lowest confidence from which on the calibration records are right
    as often as `target_accuracy` asks; without calibration records everything is wanted.
    """
    training = _examples(splits.training)
    trained = train(
        training,
        labels=task.label_names,
        recipe=settings.recipe,
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
        },
    )


def _examples(labels: Sequence[SilverLabel]) -> list[TrainExample]:
    return [TrainExample(label.text, label.entities, label.weight) for label in labels]
