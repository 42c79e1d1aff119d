"""A loop whose rounds may ask the teacher where two students differ, and what they found."""

from __future__ import annotations

from typing import Any

from distill.labels.fold import in_fold
from distill.result import RoundResult
from distill.testing.fakes import NAMES, Loop
from schemas.files.bundle import read_bundle

GATE = {"min_f1": 0.0, "resamples": 100, "max_slowdown": 100}


def serving(loop: Loop) -> Loop:
    """Let a first student serve that knows 60 names; the stream is full of all of them."""
    loop.with_distill(min_new_labels=1, judging={"share": 0.4})
    loop.learn(NAMES[:60])
    assert loop.round().reason == "first student"
    judge_by(loop)
    stream(loop, 2000)
    return loop


def people(loop: Loop, names: list[str]) -> None:
    """Labels that are learnt at once come, whatever the fold."""
    loop.learn(names, source="human", record_id="t-0-1")


def hummed(names: list[str]) -> list[str]:
    """Give the texts of the stream about these names that may judge."""
    return [text for text in (f"{name} hums" for name in names) if in_fold(text)]


def judge_by(loop: Loop, *, batch: int = 10, **judging: object) -> None:
    changes = {"texts": 400, "batch": batch, **judging}
    loop.with_distill(gold=None, min_new_labels=1, gate=GATE, judging=changes)


def stream(loop: Loop, records: int) -> None:
    loop.journal.texts = [f"{name} hums" for name in NAMES]
    loop.journal.records = records


def lineage_served(loop: Loop) -> dict[str, Any]:
    location = loop.folder / "models" / loop.journal.promotions[-1].location
    return dict(read_bundle(location).manifest.lineage)


def judged(result: RoundResult) -> dict[str, Any]:
    assert result.trial is not None
    found: dict[str, Any] = result.trial.as_dict()["verdict"]["judged"]
    return found
