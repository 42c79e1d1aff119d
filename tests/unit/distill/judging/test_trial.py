from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from distill.judging.evaluation import evaluate
from distill.judging.trial import Trial, hold_trial
from distill.labels.judges import Judges
from distill.learning.making import Made
from schemas.files.bundle import read_bundle
from schemas.files.corpus import Example
from schemas.files.task import LabelSpec, Task
from schemas.settings import DistillSettings, GateSettings
from schemas.types import Entity
from stream.student import Student
from stream.testing.bundles import write_bundle

NAMES = [f"name{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(60)]
GOLD = tuple(Example(name, f"{name} sings", (Entity(0, len(name), "PER", name),)) for name in NAMES)
TASK = Task("test", "en", (LabelSpec("PER"),))
SETTINGS = DistillSettings(gate=GateSettings(min_records=30, resamples=100, max_slowdown=100))


def folder_of(folder: Path, names: list[str], version: str) -> Path:
    words = dict.fromkeys(names, "B-PER")
    write_bundle(folder, labels=["PER"], words=words, version=version)
    return folder


def trial(tmp_path: Path, *, challenger: int, champion: int | None, faults: int = 0) -> Trial:
    made = read_bundle(folder_of(tmp_path / "new", NAMES[:challenger], "v2"))
    serves = (
        None
        if champion is None
        else Student.load(folder_of(tmp_path / "old", NAMES[:champion], "v1"))
    )
    return hold_trial(
        Made(made, 0.8, ("int8 differs",) * faults, {"steps": 3.0}),
        serves,
        Judges("gold", GOLD),
        task=TASK,
        bundle=tmp_path / "new",
        settings=SETTINGS,
    )


def test_a_champion_is_read_in_todays_names(tmp_path: Path) -> None:
    renamed = replace(TASK, labels=(LabelSpec("PERSON", was=("PER",)),))
    gold = tuple(replace(one, entities=(replace(one.entities[0], label="PERSON"),)) for one in GOLD)
    words = dict.fromkeys(NAMES, "B-PERSON")
    write_bundle(tmp_path / "new", labels=["PERSON"], words=words, version="v2")
    words = dict.fromkeys(NAMES[:50], "B-PER")
    write_bundle(
        tmp_path / "old", labels=["PER"], words=words, version="v1", task_digest=TASK.digest
    )
    held = hold_trial(
        Made(read_bundle(tmp_path / "new"), 0.8),
        Student.load(tmp_path / "old"),
        Judges("gold", gold),
        task=renamed,
        bundle=tmp_path / "new",
        settings=SETTINGS,
    )
    assert held.champion is not None
    assert held.champion.scores.recall == 50 / 60
    assert held.verdict.reason == "promoted"


def test_what_a_judge_was_not_asked_about_is_no_mistake(tmp_path: Path) -> None:
    write_bundle(tmp_path, labels=["PER", "LOC"], words={"ada": "B-PER", "oslo": "B-LOC"})
    gold = [Example("1", "Ada in Oslo", (Entity(0, 3, "PER", "Ada"),))]
    student = Student.load(tmp_path)
    assert evaluate(student, gold).exact_share == 0.0
    old = [replace(gold[0], unasked=frozenset({"LOC"}))]
    found = evaluate(student, old)
    assert (found.exact_share, found.scores.f1) == (1.0, 1.0)
    assert found.candidate(cpu_s_per_1000=1.0).predicted == [{(0, 3, "PER")}]


def test_a_first_student_is_judged_by_its_f1(tmp_path: Path) -> None:
    held = trial(tmp_path, challenger=50, champion=None)
    assert (held.version, held.judged_on, held.verdict.reason) == ("v2", "gold", "first student")
    assert held.champion is None
    metrics = held.metrics()
    assert metrics["f1_low_bound"] == SETTINGS.gate.min_f1
    assert metrics["f1_low"] < metrics["f1"] < metrics["f1_high"]


def test_a_challenger_is_judged_by_its_gain(tmp_path: Path) -> None:
    held = trial(tmp_path, challenger=50, champion=30)
    assert held.verdict.promote
    assert held.champion is not None
    assert held.metrics()["gain"] > 0.1
    assert held.as_dict()["facts"] == {"steps": 3.0}


def test_failed_parity_refuses_the_best_student(tmp_path: Path) -> None:
    held = trial(tmp_path, challenger=60, champion=30, faults=1)
    assert held.verdict.reason == "parity failed"
