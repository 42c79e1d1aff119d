"""A lane worker that tags and routes, in a process of its own; it kills itself at a set point.

    doomed_worker.py PLAN.json

The plan: `kafka` (settings), `group`, `bundle` (the student's folder), `point`, `count`,
`delay_s`, `hits`. At the `count`-th time that it reaches `point` it writes a line to the file
`hits` and, `delay_s` later, sends itself SIGKILL. Without a point it works until SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.settings import InputSettings, KafkaSettings, RoutingSettings, TeacherSettings
from schemas.types import RoutingPolicy, policy_digest
from schemas.wire.codec import Codec
from schemas.wire.inputs import InputReader
from schemas.wire.topics import TopicNames
from stream.kafka.lane.fault_points import FaultHook, Point, no_fault
from stream.kafka.lane.worker import LaneWorker
from stream.student import Student
from stream.tag.batcher import Serving, Tagged
from stream.tag.processor import TaggingProcessor, Tools
from stream.tag.routing import Router
from stream.watch.metrics import Metrics

POLICY = RoutingPolicy(threshold=0.9, audit_share=0.02, audit_seed=0)


def doom(plan: dict[str, Any]) -> FaultHook:
    """Make the hook that ends this process at the planned point."""
    if plan.get("point") is None:
        return no_fault
    left = plan["count"]

    def hook(point: Point) -> None:
        nonlocal left
        left -= point == plan["point"]
        if left == 0 and point == plan["point"]:
            _log_hit(plan)
            if plan["delay_s"]:
                asyncio.get_running_loop().call_later(plan["delay_s"], _die)
            else:
                _die()

    return hook


def _log_hit(plan: dict[str, Any]) -> None:
    with Path(plan["hits"]).open("a", encoding="utf-8") as hits:
        hits.write(
            f"{plan['point']} {plan['count']} {plan['delay_s']} {os.getpid()} {time.time()}\n"
        )
        hits.flush()
        os.fsync(hits.fileno())


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def processor(names: TopicNames, bundle: Path) -> TaggingProcessor:
    """Tag and route one partition, as `silverstream run tag` does, in place."""
    student, codec = Student.load(bundle), Codec()
    serving = Serving(student, POLICY, policy_digest(POLICY))

    async def tag(texts: Sequence[str]) -> Tagged:
        return Tagged([*student.tag(texts)], serving)

    tools = Tools(
        task="test",
        names=names,
        reader=InputReader(InputSettings(), codec),
        codec=codec,
        tag=tag,
        metrics=Metrics(),
        request_ttl_ms=60_000,
        now_ms=lambda: int(time.time() * 1000),
        resolve_schemas=False,
        teacher=TeacherSettings(),
    )
    return TaggingProcessor(tools, router=Router(RoutingSettings(budget_share=0.1)))


async def main(plan: dict[str, Any]) -> None:
    """Run the worker until SIGTERM."""
    kafka = KafkaSettings(**plan["kafka"])
    names = TopicNames.of(kafka)
    worker = LaneWorker(
        kafka,
        group_id=plan["group"],
        transactional_prefix=plan["group"],
        make_processor=lambda _source: processor(names, Path(plan["bundle"])),
        dead_letter_topic=names.dead_letters,
        fault_hook=doom(plan),
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.request_stop)
    await worker.run()


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
