from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from distill.judging.promise import PromiseAsked
from distill.labels.splits import Splits
from distill.learning.student_maker import make_student
from distill.testing.tiny_base import write_tiny_base
from schemas.files.task import Task
from schemas.promises.settings import PromiseSettings
from schemas.settings import DistillSettings, Recipe
from schemas.types import SilverLabel
from stream.student import Student

MakeLabel = Callable[..., SilverLabel]


def test_a_student_is_trained_exported_and_calibrated(
    tmp_path: Path, task: Task, make_label: MakeLabel
) -> None:
    names = ["Ada", "Bo", "Cy", "Di"]
    base = write_tiny_base(tmp_path / "base", words=[*names, "sings", "again", "here"])
    recipe = Recipe(
        base=str(base),
        layers=1,
        epochs=1,
        min_steps=60,
        learning_rate=1e-2,
        max_tokens=32,
        stride=8,
    )
    told: list[tuple[str, float]] = []
    made = make_student(
        Splits(
            training=tuple(make_label(f"{name} sings") for name in names * 4),
            calibration=tuple(make_label(f"{name} sings here") for name in names),
            judge=(),
        ),
        settings=DistillSettings(),
        promise=PromiseAsked(PromiseSettings(agreement=0.5)),
        recipe=recipe,
        task=task,
        version="v1",
        lineage={"snapshot": "abc"},
        unlabelled=list,
        second=lambda _: {},
        progress=lambda what, share: told.append((what, share)),
    )
    student = Student(made.bundle)
    assert student.tag(["Ada sings again"])[0].entities[0].surface == "Ada"
    assert student.manifest.metrics["calibration_records"] == 4
    assert student.manifest.lineage["snapshot"] == "abc"
    assert 0 < made.threshold < 1
    assert made.parity_failures == ()
    assert made.facts["steps"] == 60
    assert ("training", 1.0) in told
    assert told[-1][0] == "exporting"
