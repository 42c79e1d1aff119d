"""How students are really made: labels weighed by age, trained with torch, exported, calibrated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from distill.bundle.export import export_bundle
from distill.judging.promise import PromiseAsked, proved
from distill.labels.splits import Splits
from distill.labels.table import LabelTable
from distill.lazily import Behind, Lazily
from distill.learning.ageing import aged_examples, as_train_example
from distill.learning.doubting import clean
from distill.learning.making import Made, Progress, SecondOpinion
from distill.learning.self_training import NewestTexts, learn
from schemas.files.corpus import Example
from schemas.files.task import Task
from schemas.settings import DistillSettings, Recipe
from schemas.types import SilverLabel, text_digest
from stream.student import Student


def make_student(
    splits: Splits,
    *,
    settings: DistillSettings,
    recipe: Recipe,
    promise: PromiseAsked,
    task: Task,
    version: str,
    lineage: Mapping[str, Any],
    unlabelled: NewestTexts,
    second: SecondOpinion,
    progress: Progress,
) -> Made:
    """Train on the training split from the base model, and calibrate what was exported.

    Labels are doubted first, where the settings ask for it.
    Where the recipe leaves the labels' half-life to the labels, pilots settle it first. They hear
    those that judge first too, for these are most of the newest: of what judges, a student knows
    whether older labels still tell it, and no more.

    The threshold is the lowest confidence from which on the promise is proved by records that
    nobody learnt from, or else the best that they prove, or what leaves the teacher all that the
    budget pays for; without any everything is wanted.
    """
    cleaned = clean(
        splits.training,
        settings=settings.doubt,
        task=task,
        recipe=recipe,
        seed=settings.seed,
        second=second,
        progress=progress,
    )
    progress("weighing labels", 0.0)
    learnt = learn(
        aged_examples(cleaned.labels, task),
        told_by=aged_examples(_with_first(cleaned.labels, splits.judging_first), task),
        task=task,
        recipe=recipe,
        seed=settings.seed,
        unlabelled=unlabelled,
        progress=progress,
    )
    progress("exporting", 0.0)
    untrained = (*splits.calibration, *splits.judge)
    calibration = [as_train_example(label, task) for label in untrained]
    exported = export_bundle(
        learnt.trained,
        task=task,
        version=version,
        calibration=calibration,
        # Texts drawn at random come first; the others were chosen because they are hard.
        parity_texts=Lazily(lambda label: label.text, Behind(splits.calibration, splits.training)),
        lineage=lineage,
    )
    found = proved(Student(exported.bundle), splits, promise, task)
    return Made(
        bundle=exported.bundle,
        threshold=found.threshold,
        parity_failures=exported.parity_failures,
        facts=learnt.facts(),
        doubts=cleaned.doubts,
        pseudo_labels=[
            Example(text_digest(one.text), one.text, one.entities, categories=one.categories)
            for one in learnt.pseudo_labels
        ],
        promised=found.promised,
        stream_changed=learnt.ageing.stream_changed,
    )


def _with_first(learnt: Sequence[SilverLabel], first: Sequence[SilverLabel]) -> LabelTable:
    return LabelTable.of(learnt).joined(LabelTable.of(first))
