from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from distill.judging.promise import PromiseAsked
from distill.labels.splits import Splits
from distill.learning.making import Made
from distill.learning.student_maker import make_student
from distill.testing.tiny_base import write_tiny_base
from schemas.files.task import Task
from schemas.promises.settings import PromiseSettings
from schemas.settings import DistillSettings, Recipe
from schemas.types import SilverLabel
from stream.student import Student

MakeLabel = Callable[..., SilverLabel]


Told = list[tuple[str, float]]


@pytest.fixture
def make(tmp_path: Path, task: Task, make_label: MakeLabel) -> Callable[[PromiseAsked, Told], Made]:
    """Makes a student of four names; notes its progress."""
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
    splits = Splits(
        training=tuple(make_label(f"{name} sings") for name in names * 4),
        calibration=tuple(make_label(f"{name} sings here") for name in names),
        judge=(),
    )
    return lambda promise, told: make_student(
        splits,
        settings=DistillSettings(),
        promise=promise,
        recipe=recipe,
        task=task,
        version="v1",
        lineage={"snapshot": "abc"},
        unlabelled=list,
        second=lambda _: {},
        progress=lambda what, share: told.append((what, share)),
    )


def test_a_student_is_trained_exported_and_calibrated(
    make: Callable[[PromiseAsked, Told], Made],
) -> None:
    told = Told()
    made = make(PromiseAsked(PromiseSettings(agreement=0.5)), told)
    student = Student(made.bundle)
    assert student.tag(["Ada sings again"])[0].entities[0].surface == "Ada"
    assert student.manifest.metrics["calibration_records"] == 4
    assert student.manifest.lineage["snapshot"] == "abc"
    assert 0 < made.threshold < 1
    assert made.parity_failures == ()
    assert made.facts["steps"] == 60
    assert ("training", 1.0) in told
    assert told[-1][0] == "exporting"


def test_where_nothing_is_proved_the_policy_asks_as_far_as_the_budget_goes(
    make: Callable[[PromiseAsked, Told], Made],
) -> None:
    made = make(PromiseAsked(PromiseSettings(), unproved_share=0.0), Told())
    assert made.promised is not None
    assert made.threshold > made.promised.proof.threshold
