"""A revision in a process of its own, which kills itself at a set point.

    doomed_revision.py PLAN.json

The plan: `kafka` (settings), `group`, `bundle` (the student's folder), `point`, `count`. At the
`count`-th time that it reaches `point` it sends itself SIGKILL. Without a point it prints its
result as JSON.
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

from schemas.settings import InputSettings, KafkaSettings
from schemas.types import Tagging
from schemas.wire.codec import Codec
from schemas.wire.inputs import InputReader
from schemas.wire.topics import TopicNames
from stream.kafka.lane.fault_points import FaultHook, Point, no_fault
from stream.revise.changes import Changes, Judge
from stream.revise.run import Revision
from stream.revise.times import TimeRange
from stream.student import Student


def doom(plan: dict[str, Any]) -> FaultHook:
    """Make the hook that ends this process at the planned point."""
    if plan.get("point") is None:
        return no_fault
    left = plan["count"]

    def hook(point: Point) -> None:
        nonlocal left
        left -= point == plan["point"]
        if left == 0 and point == plan["point"]:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


async def main(plan: dict[str, Any]) -> None:
    """Revise everything."""
    kafka, codec = KafkaSettings(**plan["kafka"]), Codec()
    student = Student.load(Path(plan["bundle"]))

    async def tag(texts: Sequence[str]) -> list[Tagging]:
        return student.tag(texts)

    digest = student.manifest.task_digest
    changes = Changes(
        task="test",
        task_digest=digest,
        topic=TopicNames.of(kafka).entities,
        reader=InputReader(InputSettings(), codec),
        codec=codec,
        judge=Judge(version=student.version, task_digest=digest, policy_digest="", tag=tag),
        ruling=lambda _: None,
        answer=lambda _: None,
        now_ms=lambda: int(time.time() * 1000),
        resolve_schemas=False,
    )
    revision = Revision(kafka=kafka, changes=changes, group_id=plan["group"], fault_hook=doom(plan))
    result = await revision.run(TimeRange(0, 2**53), max_records=10**6)
    sys.stdout.write(json.dumps(result.as_dict()))


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
