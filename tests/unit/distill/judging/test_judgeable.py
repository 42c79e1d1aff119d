from __future__ import annotations

from pathlib import Path

from distill.bundle.export import sighted
from distill.judging.judgeable import judgeable
from distill.judging.trial import hold_trial
from distill.labels.judges import Judges
from distill.learning.making import Made
from distill.training.batches import TrainExample
from schemas.categories import of_labels
from schemas.files.bundle import read_bundle
from schemas.files.corpus import Example
from schemas.files.task import LabelSpec, Task
from schemas.settings import DistillSettings, GateSettings
from stream.student import Student
from stream.testing.bundles import write_category_bundle

GLAD, CROSS, BORED = LabelSpec("glad"), LabelSpec("cross"), LabelSpec("bored", added=True)
BEFORE = Task("test", "en", (GLAD, CROSS), kind="categories", choose="one")
TODAY = Task("test", "en", (GLAD, CROSS, BORED), kind="categories", choose="one")
SETTINGS = DistillSettings(gate=GateSettings(min_records=20, resamples=100, max_slowdown=100))
WORDS = {"smile": "glad", "shout": "cross", "yawn": "bored"}
NOT_ASKED = frozenset({"bored"})


def student(folder: Path, words: dict[str, str], task: Task, version: str) -> Student:
    write_category_bundle(
        folder,
        labels=task.label_names,
        choose="one",
        words=words,
        version=version,
        task_digest=task.digest,
    )
    return Student.load(folder)


def example(number: int, text: str, label: str, *, old: bool = True) -> Example:
    unasked = NOT_ASKED if old else frozenset()
    return Example(f"{number}", text, (), categories=of_labels([label]), unasked=unasked)


def test_an_old_label_does_not_judge_who_says_a_category_that_was_added(tmp_path: Path) -> None:
    new = student(tmp_path / "new", WORDS, TODAY, "v2")
    old = student(tmp_path / "old", {"smile": "glad", "yawn": "cross"}, BEFORE, "v1")
    examples = [
        example(1, "a smile", "glad"),
        example(2, "a yawn", "cross"),
        example(3, "the yawn", "cross", old=False),
    ]
    assert [one.id for one in judgeable(examples, [old], task=TODAY)] == ["1", "2", "3"]
    assert [one.id for one in judgeable(examples, [new, old], task=TODAY)] == ["1", "3"]


def test_a_challenger_that_learnt_the_added_category_is_not_refused_for_the_old_labels(
    tmp_path: Path,
) -> None:
    student(tmp_path / "new", WORDS, TODAY, "v2")
    champion = student(tmp_path / "old", {"smile": "glad", "yawn": "cross"}, BEFORE, "v1")
    told = [example(n, f"smile {n}", "glad") for n in range(20)]
    told += [example(n, f"shout {n}", "cross", old=False) for n in range(20, 30)]
    told += [example(n, f"yawn {n}", "cross") for n in range(30, 60)]
    held = hold_trial(
        Made(read_bundle(tmp_path / "new"), 0.8),
        champion,
        Judges("gold", tuple(told)),
        task=TODAY,
        bundle=tmp_path / "new",
        settings=SETTINGS,
    )
    assert held.challenger.n_records == 30
    assert held.verdict.reason == "promoted"


def test_nor_does_it_calibrate_that_student(tmp_path: Path) -> None:
    new = student(tmp_path, WORDS, TODAY, "v2")
    glad, cross = (of_labels([label]) for label in ("glad", "cross"))
    examples = [
        TrainExample("a smile", (), categories=glad, unasked=NOT_ASKED),
        TrainExample("a yawn", (), categories=cross, unasked=NOT_ASKED),
        TrainExample("the yawn", (), categories=cross),
    ]
    scores, right = sighted(new, examples)
    assert (len(scores), right.tolist()) == (2, [True, False])
