"""A real lane worker in a process of its own, which kills itself with -9 at a set point.

    doomed_worker.py PLAN.json

The plan: `kafka` (settings), `group`, `out`, `dead`, `point`, `count`, `delay_s`, `hits`. At
the `count`-th time that it reaches `point` it writes a line to the file `hits` and, `delay_s`
later, sends itself SIGKILL. Without a point it works until SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from schemas.settings import KafkaSettings
from stream.kafka.faults import FaultHook, Point, no_fault
from stream.kafka.lanes import LaneWorker
from stream.testing.lanes import echo


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


async def main(plan: dict[str, Any]) -> None:
    """Run the worker until SIGTERM."""
    worker = LaneWorker(
        KafkaSettings(**plan["kafka"]),
        group_id=plan["group"],
        transactional_prefix=plan["group"],
        make_processor=lambda _source: echo(plan["out"]),
        dead_letter_topic=plan["dead"],
        fault_hook=doom(plan),
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.request_stop)
    await worker.run()


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
