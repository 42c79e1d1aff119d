from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from schemas.errors import ChildDiedError, HaltError
from stream.kafka.local.child_process import ChildProcess
from stream.lab.children import (
    Child,
    Children,
    child_environment,
    run_interruptible,
)


def python(folder: Path, code: str, name: str = "helper") -> Child:
    log = folder / f"{name}.log"
    return Child(name, ChildProcess([sys.executable, "-c", code], log=log), log)


async def test_a_command_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    async with Children(tmp_path) as children:
        with pytest.raises(ChildDiedError, match=r"job ended with status 2.*job\.log") as caught:
            await children.finish("job", ["no-such-command"])
    assert "no-such-command" in caught.value.last_words


async def test_a_command_runs_to_its_end(tmp_path: Path) -> None:
    async with Children(tmp_path) as children:
        await children.finish("job", ["--help"])
        assert not children.running
    assert "Usage" in (tmp_path / "job.log").read_text(encoding="utf-8")


async def test_a_child_that_dies_ends_the_waiting(tmp_path: Path) -> None:
    async with Children(tmp_path) as children:
        children.running.append(python(tmp_path, "import sys; sys.exit('out of luck')"))
        with pytest.raises(ChildDiedError, match="helper ended with status 1") as caught:
            await children.until(lambda: False, timeout_s=60, what="forever")
    assert caught.value.last_words == "out of luck"


async def test_waiting_has_an_end_of_its_own(tmp_path: Path) -> None:
    async with Children(tmp_path) as children:
        with pytest.raises(HaltError, match="luck took more than"):
            await children.until(lambda: False, timeout_s=0, what="luck")


async def test_children_end_with_the_run_whatever_happened(tmp_path: Path) -> None:
    child = python(tmp_path, "import signal; signal.pause()")

    async def run() -> None:
        async with Children(tmp_path) as children:
            children.running.append(child)
            raise KeyError

    with pytest.raises(KeyError):
        await run()
    assert not psutil.pid_exists(child.process.pid)


async def test_the_cpu_time_of_a_child_is_counted(tmp_path: Path) -> None:
    child = python(tmp_path, "while True: pass")
    try:
        async with Children(tmp_path) as children:
            await children.until(lambda: child.cpu_s() > 0.05, timeout_s=60, what="counting")
    finally:
        child.process.kill()
    assert child.cpu_s() == 0.0


def test_settings_of_ours_do_not_leak_into_children() -> None:
    environment = {"SILVERSTREAM_KAFKA__BOOTSTRAP_SERVERS": "elsewhere:9092", "HOME": "/home"}
    assert child_environment(environment) == {"HOME": "/home", "PYTHONUNBUFFERED": "1"}


def test_sigterm_ends_the_run_in_order() -> None:
    cleaned: list[str] = []

    async def run() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.Event().wait()
        finally:
            cleaned.append("children")

    with pytest.raises(SystemExit) as caught:
        run_interruptible(run())
    assert caught.value.code == 143
    assert cleaned == ["children"]


def test_a_run_that_ends_gives_its_result() -> None:
    async def run() -> int:
        return 42

    assert run_interruptible(run()) == 42
