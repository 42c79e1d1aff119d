from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from schemas.files.corpus import Example, write_jsonl
from schemas.types import Entity
from stream.lab.replay import play
from stream.lab.replay.options import ReplayOptions
from stream.lab.replay.progress import LiveProgress

PLAYED: dict[str, Any] = {
    "records": 3,
    "lost": 0,
    "duplicated": 0,
    "uncorrected": 0,
    "dead_lettered": 0,
    "teacher": None,
    "stream": None,
    "students": {"last": {"f1": 0.5}},
    "rounds": (),
}


@pytest.fixture
def options(tmp_path: Path) -> ReplayOptions:
    ada = Entity(0, 3, "PER", "Ada")
    examples = [Example(str(n), f"Ada {n}", (ada,)) for n in range(4)]
    for name in ("stream", "held_out"):
        write_jsonl(tmp_path / f"{name}.jsonl", examples)
    stream, held_out = tmp_path / "stream.jsonl", tmp_path / "held_out.jsonl"
    return ReplayOptions(
        stream=(stream,), held_out=held_out, cold_start=1, rounds=1, ceiling=True, plain=True
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Takes the place of the ceilings, of which one is killed; keeps what was asked of it."""
    found: list[dict[str, Any]] = []

    def ceilings(*_: object, **options: Any) -> dict[str, Any]:
        found.append(options)
        return {"plain": {"f1": 0.6}}

    monkeypatch.setattr(play, "ceilings", ceilings)
    return found


def _play(
    monkeypatch: pytest.MonkeyPatch, options: ReplayOptions, work: Path, *, failure: str
) -> Any:
    def run(coroutine: Coroutine[Any, Any, Any]) -> dict[str, Any]:
        coroutine.close()
        return PLAYED | {"students": {"last": {"f1": 0.5}}, "failure": failure}

    monkeypatch.setattr(play, "run_interruptible", run)
    return play.replay_once(options, work, LiveProgress(Console(quiet=True)))


def test_a_ceiling_that_dies_does_not_take_the_replays_result_with_it(
    monkeypatch: pytest.MonkeyPatch,
    options: ReplayOptions,
    asked: list[dict[str, Any]],
    tmp_path: Path,
) -> None:
    result = _play(monkeypatch, options, tmp_path, failure="")
    assert asked[0]["recipes"].keys() == {"ceiling", "plain"}
    assert result.failure.endswith("ceiling")
    assert result.records == 3
    assert result.students == {"last": {"f1": 0.5}, "plain": {"f1": 0.6}}


def test_no_ceiling_is_trained_when_the_stream_stood_still(
    monkeypatch: pytest.MonkeyPatch,
    options: ReplayOptions,
    asked: list[dict[str, Any]],
    tmp_path: Path,
) -> None:
    assert _play(monkeypatch, options, tmp_path, failure="stood still").failure == "stood still"
    assert asked == []
