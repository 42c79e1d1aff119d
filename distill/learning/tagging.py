"""What a student tags while it is being made: by the serving code, with a bundle for that alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from distill.bundle.export import export_bundle
from distill.training.train import Trained
from schemas.files.task import Task
from schemas.types import Tagging
from stream.student import Student
from stream.student.memory import give_back_memory

_MICRO_BATCH_RECORDS = 8
"""Half the memory of 32, and the same taggings."""


def tag_with(trained: Trained, texts: Sequence[str], *, task: Task) -> list[Tagging]:
    """Tag the texts as `trained` would serve, in fp32; its confidences are not calibrated."""
    fp32 = replace(trained, recipe=trained.recipe.model_copy(update={"int8": "off"}))
    exported = export_bundle(
        fp32,
        task=task,
        version="unserved",
        calibration=(),
        parity_texts=[*texts[:1]],
        lineage={},
    )
    student = Student(exported.bundle)
    del exported  # its model, which the student's session has now, too
    give_back_memory()
    taggings = student.tag(texts, micro_batch_records=_MICRO_BATCH_RECORDS)
    del student
    give_back_memory()
    return taggings
