"""Whether a bundle loads, found out by a process that may hang, explode or crash in our place.

What a model or a tokenizer does to the libraries that read them cannot be told by looking: a few
hundred bytes can ask for gigabytes, loop, or abort the process. So a child loads and warms the
bundle first, within limits of time and memory.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from schemas.errors import BundleError

LIMIT_S: Final = 60
"""Of the child's whole life, its start included."""
MOST_BYTES: Final = 4 * 1024**3
"""Of the child's own memory; the largest student that we train takes an eighth."""
_REFUSED: Final = 3
_MAX_WORDS: Final = 500


def prove(folder: Path, *, limit_s: int = LIMIT_S, most_bytes: int = MOST_BYTES) -> None:
    """Have a child load the bundle in `folder`; `BundleError` when it does not.

    Blocks until the child has ended.
    """
    limits = [str(limit_s), str(most_bytes)]
    command = [sys.executable, "-P", "-m", "stream.student.proof", str(folder), *limits]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BundleError(f"{folder}: it did not load within {limit_s} s in its proof") from None
    if done.returncode == _REFUSED:
        raise BundleError(" ".join(done.stdout.decode(errors="replace").split())[:_MAX_WORDS])
    if done.returncode:
        raise BundleError(
            f"{folder}: its proof died (exit {done.returncode}): it crashes what reads it, or "
            f"takes more than {most_bytes} bytes of memory"
        )


def _be_the_child(folder: str, limit_s: str, most_bytes: str) -> int:
    _limit(int(limit_s), int(most_bytes))
    from stream.student.student import Student  # noqa: PLC0415 - under the limits

    try:
        Student.load(Path(folder))
    except BundleError as error:
        print(error)  # noqa: T201 - what the parent reads
        return _REFUSED
    return 0


def _limit(limit_s: int, most_bytes: int) -> None:
    """Bound this process, also when its parent is gone."""
    signal.alarm(limit_s)
    for what, most in (
        (resource.RLIMIT_DATA, most_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # a lower limit is in force already
            resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    sys.exit(_be_the_child(*sys.argv[1:]))
