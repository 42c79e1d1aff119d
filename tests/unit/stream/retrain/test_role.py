from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil
import pytest
from aiokafka.errors import NodeNotReadyError

from schemas.canaries.holds import Hold
from schemas.errors import BrokerUnavailableError
from schemas.settings import DistillSettings
from stream.retrain.believed import Believed
from stream.retrain.last_round import Mark, mark_path, read_mark
from stream.retrain.role import Retraining, distill_command
from stream.testing.lanes import until
from stream.watch.metrics import Metrics

EMPTY = Mark()


def _retraining(
    folder: Path, *, code: int = 0, script: str = "", holds: Sequence[Hold] = ()
) -> tuple[Retraining, list[float]]:
    now = [1000.0]

    async def ends() -> Mapping[str, int]:
        return {"0": 10}

    async def held() -> Sequence[Hold]:
        return holds

    retraining = Retraining(
        task="people",
        settings=DistillSettings(snapshots=folder, min_new_labels=5),
        label_ends=ends,
        holds=held,
        command=[sys.executable, "-c", script or f"raise SystemExit({code})"],
        metrics=Metrics(),
        now_s=lambda: now[0],
    )
    return retraining, now


def _rounds(retraining: Retraining, outcome: str) -> float:
    found = retraining.metrics.registry.get_sample_value(
        "silverstream_rounds_total", {"outcome": outcome}
    )
    return found or 0.0


async def test_a_round_that_ends_well_marks_its_labels_as_seen(tmp_path: Path) -> None:
    retraining, _ = _retraining(tmp_path)
    await retraining.tick()
    await retraining.wait()
    assert read_mark(mark_path(tmp_path, "people")) == Mark({"0": 10}, 1000.0)
    await retraining.tick()
    await retraining.wait()
    assert _rounds(retraining, "done") == 1


async def test_a_round_that_fails_is_begun_again_only_after_a_while(tmp_path: Path) -> None:
    retraining, now = _retraining(tmp_path, code=3)
    await retraining.tick()
    await retraining.wait()
    assert read_mark(mark_path(tmp_path, "people")) == EMPTY
    await retraining.tick()
    assert _rounds(retraining, "failed") == 1
    now[0] += 301
    await retraining.tick()
    await retraining.wait()
    assert _rounds(retraining, "failed") == 2


async def test_a_mark_that_the_disk_does_not_take_begins_no_round_at_once(tmp_path: Path) -> None:
    retraining, now = _retraining(tmp_path)
    (tmp_path / "people").write_text("a file where the folder must be")
    await retraining.tick()
    await retraining.wait()
    await retraining.tick()
    await retraining.wait()
    assert _rounds(retraining, "done") == 1
    (tmp_path / "people").unlink()
    now[0] += 301
    await retraining.tick()
    await retraining.wait()
    assert read_mark(mark_path(tmp_path, "people")) == Mark({"0": 10}, 1301.0)


async def test_there_is_one_round_at_a_time_and_it_ends_with_the_worker(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    script = f"open({str(begun)!r}, 'a').write('x'); import time; time.sleep(600)"
    retraining, _ = _retraining(tmp_path, script=script)
    await retraining.tick()
    await until(lambda: begun.exists() and begun.read_text() == "x")
    await retraining.tick()
    assert retraining.is_running()
    await retraining.stop()
    assert not retraining.is_running()
    assert begun.read_text() == "x"
    assert read_mark(mark_path(tmp_path, "people")) == EMPTY


@pytest.mark.parametrize(
    "error", [BrokerUnavailableError("gone"), NodeNotReadyError(), ConnectionResetError()]
)
async def test_brokers_that_are_away_put_the_count_off(tmp_path: Path, error: Exception) -> None:
    retraining, _ = _retraining(tmp_path)

    async def away() -> Mapping[str, int]:
        raise error

    retraining.label_ends = away
    await retraining.tick()
    assert not retraining.is_running()


async def test_labels_that_nobody_signed_start_no_round(tmp_path: Path) -> None:
    retraining, _ = _retraining(tmp_path)
    signed = {"read": [3, 1, 0, 1]}
    asked: list[Mapping[int, int]] = []

    async def read(since: Mapping[int, int]) -> tuple[Sequence[object], Mapping[int, int]]:
        asked.append(since)
        return [object()] * signed["read"].pop(0), {0: 10}

    retraining.believed = Believed(read)
    for _ in range(3):
        await retraining.tick()
        assert not retraining.is_running()
    await retraining.tick()  # the fifth that is signed
    assert retraining.is_running()
    await retraining.wait()
    assert asked == [{}, {0: 10}, {0: 10}, {0: 10}]
    await retraining.tick()
    assert not signed["read"], "after the mark nothing is new by offsets, and nothing is read"


_WORKER = """
import asyncio
from stream.retrain.role import run_quietly
asyncio.run(run_quietly(["sleep", "600"]))
"""


def test_a_round_ends_with_a_worker_killed_with_minus_nine() -> None:
    with subprocess.Popen([sys.executable, "-c", _WORKER]) as worker:
        try:
            # The round, and the shell that watches over it.
            _wait(lambda: len(psutil.Process(worker.pid).children()) == 2)
            (round_,) = [p for p in psutil.Process(worker.pid).children() if p.name() == "sleep"]
        finally:
            worker.kill()
    _wait(lambda: not round_.is_running() or round_.status() == psutil.STATUS_ZOMBIE)


def _wait(condition: Callable[[], bool], *, deadline_s: float = 60) -> None:
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_round_runs_with_this_interpreter_and_the_same_settings() -> None:
    assert distill_command(Path("s.yaml")) == [
        sys.executable,
        *("-m", "stream.cli.main", "distill", "--force", "--config", "s.yaml"),
    ]


def test_a_round_does_not_count_the_labels_again() -> None:
    assert distill_command(None)[-2:] == ["distill", "--force"]


async def test_no_round_begins_while_the_teacher_is_doubted(tmp_path: Path) -> None:
    retraining, _ = _retraining(tmp_path, holds=[Hold(since_ms=5)])
    await retraining.tick()
    await retraining.wait()
    # Nor are the labels counted as seen: they are due once the teacher is accepted.
    assert (_rounds(retraining, "done"), read_mark(mark_path(tmp_path, "people"))) == (0, EMPTY)


async def test_a_doubt_that_has_ended_holds_up_no_round(tmp_path: Path) -> None:
    retraining, _ = _retraining(tmp_path, holds=[Hold(since_ms=5, until_ms=9)])
    await retraining.tick()
    await retraining.wait()
    assert _rounds(retraining, "done") == 1
