from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distill.judging.refit import refitted
from distill.judging.trial import Trial, hold_trial
from distill.labels.judges import Judges
from distill.learning.making import Made
from schemas.files.bundle import read_bundle
from schemas.files.corpus import Example
from schemas.files.task import LabelSpec, Task
from schemas.settings import DistillSettings, GateSettings
from schemas.types import Entity
from stream.testing.bundles import write_bundle

NAMES = [f"name{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(60)]
GOLD = tuple(Example(name, f"{name} sings", (Entity(0, len(name), "PER", name),)) for name in NAMES)
TASK = Task("test", "en", (LabelSpec("PER"),))
SETTINGS = DistillSettings(gate=GateSettings(min_records=30, resamples=100, max_slowdown=100))


def made(folder: Path, *, knows: int, certainty: float = 0.99, faults: int = 0) -> Made:
    write_bundle(
        folder,
        labels=["PER"],
        words=dict.fromkeys(NAMES[:knows], "B-PER"),
        version="v2",
        certainty=certainty,
    )
    return Made(read_bundle(folder), 0.8, ("int8 differs",) * faults, {"knows": float(knows)})


def settled(tmp_path: Path, whole: Made, *, gold: tuple[Example, ...] = GOLD) -> Trial | None:
    winner, judges = made(tmp_path / "winner", knows=40), Judges("differing", gold)
    held = hold_trial(
        winner, None, judges, task=TASK, bundle=tmp_path / "winner", settings=SETTINGS
    )
    return refitted(held, winner, whole, judges, task=TASK, settings=SETTINGS)


def test_a_student_of_all_labels_takes_the_winners_place_with_its_own_figures(
    tmp_path: Path,
) -> None:
    found = settled(tmp_path, made(tmp_path / "whole", knows=50))
    assert found is not None
    assert found.challenger.scores.recall == 50 / 60
    assert found.facts == {"knows": 50.0}
    assert found.verdict.scores.recall == 40 / 60  # the verdict is the winner's


def test_a_little_less_may_be_chance(tmp_path: Path) -> None:
    assert settled(tmp_path, made(tmp_path / "whole", knows=39)) is not None


@pytest.mark.parametrize(
    "whole", [{"knows": 10}, {"knows": 50, "faults": 1}, {"knows": 50, "certainty": 0.4}]
)
def test_where_the_training_went_wrong_the_winner_stays(
    tmp_path: Path, whole: dict[str, Any]
) -> None:
    assert settled(tmp_path, made(tmp_path / "whole", **whole)) is None


def test_where_nothing_is_known_it_is_believed_as_far_as_it_was_exported_well(
    tmp_path: Path,
) -> None:
    assert settled(tmp_path, made(tmp_path / "whole", knows=50), gold=()) is not None
    faulty = replace(made(tmp_path / "faulty", knows=50), parity_failures=("int8 differs",))
    assert settled(tmp_path, faulty, gold=()) is None
