"""Whether a bundle loads, found out by a process that may hang, explode or crash in our place.

What a model or a tokenizer does to the libraries that read them cannot be told by looking alone: a
few hundred bytes can ask for gigabytes, loop, or abort the process. So a child loads and warms the
bundle first, within limits of time and memory, without our environment's secrets, and as the one
that the system ends first when memory runs out.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Final

from schemas.errors import BundleError
from stream.student.memory import room_bytes

LIMIT_S: Final = 60
"""Of the child's whole life, its start included."""
MOST_BYTES: Final = 4 * 1024**3
"""Of the child's own memory; the largest student that we train takes an eighth. Where the
container leaves less, that is the limit: the child must not have the worker killed."""
_REFUSED: Final = 3
_MAX_WORDS: Final = 500
_NICE: Final = 5
_KEPT: Final = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "HOME", "LANG", "LC_ALL")
_SET: Final = {
    "TOKENIZERS_PARALLELISM": "false",
    "OPENBLAS_NUM_THREADS": "1",  # each thread of it takes memory, at the start
    "OMP_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


async def prove(
    folder: Path, digest: str, *, limit_s: float = LIMIT_S, most_bytes: int | None = None
) -> None:
    """Have a child load the bundle of this digest in `folder`; `BundleError` when it does not.

    `most_bytes` is what it may take: as `MOST_BYTES` says where None. The child ends with us, and
    when this is cancelled.
    """
    most = min(MOST_BYTES, room_bytes()) if most_bytes is None else most_bytes
    command = ["-P", "-m", "stream.student.proof", str(folder), digest, str(limit_s), str(most)]
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        env={name: os.environ[name] for name in _KEPT if name in os.environ} | _SET,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(limit_s):
            said = await _said(child)
            code = await child.wait()
    except TimeoutError:
        raise BundleError(f"{folder}: it did not load within {limit_s} s in its proof") from None
    finally:
        await _end(child)
    if code == _REFUSED:
        raise BundleError(" ".join(said.split())[:_MAX_WORDS])
    if code:
        raise BundleError(
            f"{folder}: its proof died (exit {code}): it crashes what reads it, or takes more "
            f"than {most} bytes of memory, {_whose(most)}"
        )


def _whose(most: int) -> str:
    return "which is all that this container has left" if most < MOST_BYTES else "our limit"


async def _said(child: asyncio.subprocess.Process) -> str:
    """Read the child's first words; one that says more waits until its time is over."""
    assert child.stdout is not None  # noqa: S101 - for the type: it has a pipe
    return (await child.stdout.read(_MAX_WORDS * 4)).decode(errors="replace")


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def _be_the_child(folder: str, digest: str, limit_s: str, most_bytes: str) -> int:
    limit_this_process(float(limit_s), int(most_bytes))
    from stream.student.student import Student  # noqa: PLC0415 - under the limits

    try:
        Student.load(Path(folder), digest=digest)
    except BundleError as error:
        print(error)  # noqa: T201 - what the parent reads
        return _REFUSED
    return 0


def limit_this_process(limit_s: float, most_bytes: int) -> None:
    """Bound the life and memory of this process, also when its parent is gone."""
    signal.setitimer(signal.ITIMER_REAL, max(limit_s, 0.001))
    os.nice(_NICE)
    with contextlib.suppress(OSError):  # not on every system
        Path("/proc/self/oom_score_adj").write_text("1000")
    for what, most in (
        (resource.RLIMIT_DATA, most_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # a lower limit is in force already
            resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    sys.exit(_be_the_child(*sys.argv[1:]))
