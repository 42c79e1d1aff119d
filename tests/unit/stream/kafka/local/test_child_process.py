from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from stream.kafka.local.child_process import ChildProcess

REPOSITORY = Path(__file__).parents[4]
_PARENT = """
import sys, time
from pathlib import Path
from stream.kafka.local.child_process import ChildProcess
child = ChildProcess(["sleep", "600"], log=Path(sys.argv[1]))
print(child.pid, flush=True)
time.sleep(600)
"""


def gone(pid: int, *, deadline_s: float = 30) -> bool:
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_a_child_dies_with_a_parent_killed_with_minus_nine(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert psutil.pid_exists(child)
        parent.kill()
    assert gone(child)


def test_it_is_asked_first_and_killed_when_it_does_not_listen(tmp_path: Path) -> None:
    log = tmp_path / "log"
    deaf = ChildProcess(
        ["/bin/sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"], log=log
    )
    while "up" not in deaf.log_tail():
        time.sleep(0.01)
    assert deaf.running
    deaf.stop(grace_s=0.1)
    assert gone(deaf.pid)


def test_its_last_lines_are_kept(tmp_path: Path) -> None:
    child = ChildProcess(["/bin/sh", "-c", "seq 50; echo oops >&2"], log=tmp_path / "log")
    while child.running:
        time.sleep(0.01)
    child.kill()
    assert child.log_tail(lines=2) == "50\noops"
