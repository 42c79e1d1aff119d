"""What the Batch API takes: price, calls and answers, beside asking live.

    python -m tests.benchmarks.batches CORPUS.jsonl [--task TASK.yaml] [--texts N]

N texts of the corpus are asked about over real HTTP, of a simulated teacher who knows the labels
and counts four bytes as a token: live, and in batches that take twenty hours of a made-up clock;
in batches of which a fifth expires, is asked live or given up; and in batches whose process is
killed at every third wait and begun again. One JSON line a way, at the default prices.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

from schemas.errors import AnswerError
from schemas.files.corpus import Example, read_corpus
from schemas.files.infer import task_of
from schemas.files.task import Task
from schemas.files.task_file import load_task
from schemas.settings import TeacherSettings
from stream.lab.teacher_sim.answers import answers_of
from stream.lab.teacher_sim.faults import SimulatorSettings
from stream.lab.teacher_sim.simulator import serving, teacher_sim_app
from stream.teacher.batches.lane import BatchLane
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.protocol import Teacher
from stream.teacher.retries import Clock
from stream.testing.endpoints import requests_of
from stream.testing.fake_time import FakeTime

_BATCH_S: Final = 20 * 3600.0
_BATCHES: Final = 4
_KILLED_AT_EVERY: Final = 3


class KilledError(BaseException):
    """Stands for kill -9: nothing catches it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Ask in each way and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--task", type=Path)
    parser.add_argument("--texts", type=int, default=320)
    given = parser.parse_args(arguments)
    texts = list({one.text: one for one in read_corpus(given.corpus)}.values())[: given.texts]
    task = load_task(given.task) if given.task else task_of(texts, name="asked")
    expired = {"batch_faults": {"expire": 0.2}}
    ways: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "live": ({"purposes": []}, {}),
        "in batches": ({}, {}),
        "a fifth expires, and is asked live": ({}, expired),
        "a fifth expires, and is given up": ({"when_late": "give_up"}, expired),
        "killed at every third wait": ({}, {}),
    }
    for way, (batch, sim) in ways.items():
        found = asyncio.run(_asked(texts, task, batch, sim, kills=way.startswith("killed")))
        sys.stdout.write(json.dumps({"way": way, **found}) + "\n")
        sys.stdout.flush()


async def _asked(
    examples: Sequence[Example],
    task: Task,
    batch: dict[str, Any],
    sim: dict[str, Any],
    *,
    kills: bool,
) -> dict[str, Any]:
    time, known = FakeTime(), answers_of(examples, task=task)
    simulated = SimulatorSettings(batch_s=_BATCH_S, **sim)
    app = teacher_sim_app(known.answers, simulated, kind=known.kind, clock=time.clock)
    n, kinds, killed = len(examples), Counter[str](), 0
    with tempfile.TemporaryDirectory() as folder:
        async with serving(app) as url:
            settings = TeacherSettings.model_validate(
                {
                    "base_url": url,
                    "state": Path(folder) / "teacher.sqlite",
                    "budget_usd_per_day": 1000.0,
                    "batch": {
                        "purposes": ["bootstrap"],
                        "max_requests": -(-n // _BATCHES),
                        "poll_s": 3600,
                        **batch,
                    },
                }
            )
            while True:
                try:
                    kinds = await _run(examples, task, settings, time, kills=kills)
                    break
                except KilledError:
                    killed += 1
            counts = await requests_of(url)
            store = TeacherStore(settings.state)
            totals = store.totals()
            store.close()
    return {
        "answers": kinds["answer"],
        "others": {name: number for name, number in kinds.items() if name != "answer"},
        "live_calls": counts["requests"],
        "batches": counts.get("batches", 0),
        "lines": counts.get("batch lines", 0),
        "booked_calls": totals.calls,
        "tokens_in": round(totals.tokens_in / n, 1),
        "tokens_out": round(totals.tokens_out / n, 1),
        "usd_per_1000": round(1000 * totals.usd / n, 4),
        "hours": round((time.now_s - FakeTime().now_s) / 3600, 1),
        "killed": killed,
    }


async def _run(
    examples: Sequence[Example],
    task: Task,
    settings: TeacherSettings,
    time: FakeTime,
    *,
    kills: bool,
) -> Counter[str]:
    slept = 0

    async def sleep(seconds: float) -> None:
        nonlocal slept
        slept += 1
        if kills and slept > _KILLED_AT_EVERY:
            raise KilledError
        await time.sleep(seconds)

    clock = Clock(time.clock.now, time.clock.monotonic, sleep)
    store = TeacherStore(settings.state)
    teacher = OpenAITeacher(task, settings, store=store, purpose="bootstrap", clock=clock)
    lane = BatchLane(teacher, settings, task=task.name, purpose="bootstrap")
    kinds = Counter[str]()
    try:
        async with aclosing(lane.lots([one.text for one in examples])) as lots:
            async for lot in lots:
                kinds.update([await _kind(lot, text) for text in lot.texts])
    finally:
        await teacher.aclose()
    return kinds


async def _kind(teacher: Teacher, text: str) -> str:
    try:
        await teacher.label(text)
    except AnswerError as error:
        return error.code
    return "answer"


if __name__ == "__main__":
    main()
