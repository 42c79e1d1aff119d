from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from schemas.categories import of_labels
from schemas.errors import HaltError, StalledError
from schemas.files.corpus import Example
from schemas.files.task import LabelSpec, Task
from schemas.settings import Recipe
from schemas.types import Entity
from stream.lab.demo.students import Bench
from stream.lab.observations import Observations
from stream.lab.replay.ceiling import plain_recipe, without
from stream.lab.replay.jury import Jury, on_held_out
from stream.lab.replay.rounds import Rounds
from stream.lab.system import System, is_ready
from stream.lab.workspace import Workspace
from stream.student import Student
from stream.testing.bundles import write_bundle, write_category_bundle

ADA = Example("1", "Ada", (Entity(0, 3, "PER", "Ada"),))
OSLO = Example("2", "Oslo", (Entity(0, 4, "LOC", "Oslo"),))
TASK = Task("names", "en", (LabelSpec("PER"), LabelSpec("LOC")))
MOODS = ("glad", "sad")


def student(folder: Path, **words: str) -> Path:
    folder.mkdir(parents=True)
    write_bundle(folder, labels=["PER", "LOC"], words=words)
    return folder


@dataclass
class Distill:
    """Plays `silverstream distill`: writes the results it was given, one a call."""

    space: Workspace
    results: list[dict[str, Any]]
    asked: list[tuple[str, ...]] = field(default_factory=list)

    async def run(self, name: str, *arguments: str) -> None:
        self.asked.append(arguments)
        self.space.round_result.write_text(json.dumps(self.results.pop(0)), encoding="utf-8")


JUDGED = {
    "by": "differing",
    "asked": 75,
    "differing": 210,
    "refused": 1,
    "interval": {"estimate": 0.02, "low": -0.005, "high": 0.05},
}


def outcome(bundle: Path | None, student: str, *, promote: bool, reason: str) -> dict[str, Any]:
    return {
        "student": student,
        "promote": promote,
        "reason": reason,
        "labels": 12,
        "trial": {"bundle": str(bundle), "verdict": {"judged": JUDGED}} if bundle else None,
        "cleaning": None,
    }


async def test_the_last_promoted_student_serves_whatever_was_refused_since(tmp_path: Path) -> None:
    good = student(tmp_path / "good", ada="B-PER", oslo="B-LOC")
    poor = student(tmp_path / "poor", ada="B-PER")
    distill = Distill(
        Workspace(tmp_path),
        [
            outcome(poor, "v1", promote=True, reason="first student"),
            outcome(good, "v2", promote=True, reason="promoted"),
            outcome(poor, "v3", promote=False, reason="no gain"),
            outcome(None, "", promote=False, reason="insufficient evidence"),
        ],
    )
    jury = Jury([ADA, OSLO], 0, TASK)
    rulings = [await jury.next_ruling(cast("System", distill)) for _ in range(4)]
    assert [one.f1 for one in rulings] == [
        pytest.approx(2 / 3),
        1.0,
        pytest.approx(2 / 3),
        None,
    ]
    assert jury.champion is rulings[1]
    assert rulings[3].reason == "insufficient evidence"
    assert rulings[1].judged == {
        "by": "differing",
        "asked": 75,
        "differing": 210,
        "interval": (-0.005, 0.05),
    }
    assert rulings[3].judged is None
    assert all("--force" in arguments for arguments in distill.asked)


def test_the_interval_of_an_f1_holds_its_estimate(tmp_path: Path) -> None:
    knows_ada = Student.load(student(tmp_path / "s", ada="B-PER"))
    found = on_held_out(knows_ada, [ADA, OSLO] * 20, seed=1)
    low, high = found.f1_interval
    assert low <= found.f1 <= high
    assert low < high
    assert found.facts() == {"f1": found.f1, "f1_interval": (low, high)}


def test_of_categories_the_accuracy_is_told_with_its_interval(tmp_path: Path) -> None:
    write_category_bundle(tmp_path, labels=["glad", "sad"], choose="one", words={"ada": "glad"})
    glad, sad = (Example(label, "Ada", (), categories=of_labels([label])) for label in MOODS)
    found = on_held_out(Student.load(tmp_path), [glad, sad, glad, glad] * 10, seed=1).facts()
    low, high = found["accuracy_interval"]
    assert low < found["accuracy"] == found["f1"] == 0.75 < high
    assert 0 < found["macro_f1"] < found["accuracy"]


async def test_the_demo_scores_each_decision_once(tmp_path: Path) -> None:
    for name in ("v1", "v2"):
        student(tmp_path / name / "bundle", ada="B-PER")
    (tmp_path / "v1" / "decision.json").write_text(
        json.dumps({"promote": True, "reason": "first student", "labels": 3}), encoding="utf-8"
    )
    bench = Bench(tmp_path, early=[ADA], late=[OSLO])
    (one,) = await bench.look()
    assert (one.version, one.promoted, one.f1_early, one.f1_late) == ("v1", True, 1.0, 0.0)
    assert await bench.look() == []
    assert bench.judged == [one]


@pytest.mark.parametrize(
    ("status", "named", "ready"),
    [
        ({}, None, False),
        ({"ready": False, "student_version": "v1"}, "v1", False),
        ({"ready": True, "student_version": "v1"}, None, True),
        ({"ready": True, "student_version": "v1"}, "v1", True),
        ({"ready": True, "student_version": "v1"}, "v2", False),
    ],
)
def test_a_worker_is_ready_with_the_student_that_was_named(
    status: dict[str, Any], named: str | None, *, ready: bool
) -> None:
    assert is_ready(status, student=named) is ready


class Still:
    """Stands in for client, children and progress: nothing ever happens."""

    logs = Path("logs")

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None


async def test_a_stream_that_stands_still_is_given_up() -> None:
    still: Any = Still()
    system: Any = type("Stopped", (), {"children": still})()
    rounds = Rounds(
        system=system, client=still, tag_worker=still, jury=still, progress=still, stall_s=0.2
    )
    await rounds.until(["a"], lambda _: True)
    with pytest.raises(HaltError, match="1 records are missing"):
        await rounds.until(["a", "b"], lambda record_id: record_id == "a")


def test_the_ceiling_trains_on_nothing_that_judges() -> None:
    repeated = Example("3", "Ada", ())
    kept = without([ADA, OSLO, repeated], [0.5, 0.25, 0.0], [Example("4", "Ada", ())])
    assert kept == [(OSLO, 0.25)]


def test_the_plain_student_has_nothing_of_ours() -> None:
    plain = plain_recipe(Recipe())
    assert (plain.layers, plain.casing, plain.epochs, plain.min_steps) == (6, False, 3.0, 0)
    assert (plain.learning_rate, plain.head_learning_rate_factor) == (2e-4, 1.0)
    assert plain.batch_records == 32
    assert (plain.word_dropout, plain.mention_swap, plain.averaged_share) == (0.0, 0.0, 0.0)
    assert plain.train_embeddings
    assert plain.label_half_life is None
    assert plain.int8 == "off"


async def test_records_that_never_come_back_are_lost() -> None:
    class Mute(Still):
        seen = Observations()
        child = SimpleNamespace(cpu_s=lambda: 0.0)
        champion = None

        async def send(self, share: list[Example]) -> dict[str, Example]:
            return {example.id: example for example in share}

    mute: Any = Mute()
    system: Any = SimpleNamespace(children=mute)
    rounds = Rounds(
        system=system, client=mute, tag_worker=mute, jury=mute, progress=mute, stall_s=0.2
    )
    with pytest.raises(StalledError, match="2 records are missing"):
        await rounds.play([ADA, OSLO], number=1, of=1)
    assert mute.seen.counts(rounds.sent).lost == 2
