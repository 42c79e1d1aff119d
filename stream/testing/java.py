"""What runs on Java: the Javas of this machine, and where `make` puts what it fetches for them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

_REPOSITORY = Path(__file__).parents[2]
_INSTALLED = (
    "/usr/lib/jvm/*/bin/java",
    "/opt/java/*/bin/java",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home/bin/java",
)
"""Where packages of Linux, images and installers of macOS put them."""


def find_java(oldest: int, *, installed: Sequence[str] = _INSTALLED) -> str | None:
    """Find a Java of at least this release: `$JAVA_HOME`, `PATH`, `$JAVA_HOME_*`, `installed`.

    `$JAVA_HOME_21_X64` is how GitHub's runners tell of theirs. None when there is none.
    """
    return next((java for java in _candidates(installed) if java_release(java) >= oldest), None)


def fetched(variable: str, place: str) -> Path:
    """Give the folder that the environment's `variable` names, else `place` in our `.cache`."""
    return Path(os.environ.get(variable, _REPOSITORY / ".cache" / place))


@cache
def java_release(java: str) -> int:
    """17 of `openjdk version "17.0.9"`, 1 of `java version "1.8.0"`, 0 of anything else."""
    try:
        told = subprocess.run(  # noqa: S603  # the user's own Java
            [java, "-version"], capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(\d+)', told.stderr)
    return int(found[1]) if found else 0


def _candidates(installed: Sequence[str]) -> Iterator[str]:
    if home := os.environ.get("JAVA_HOME"):
        yield f"{home}/bin/java"
    if on_path := shutil.which("java"):
        yield on_path
    for name in sorted(os.environ, reverse=True):
        if name.startswith("JAVA_HOME_"):
            yield f"{os.environ[name]}/bin/java"
    for pattern in installed:
        yield from map(str, sorted(Path("/").glob(pattern.removeprefix("/")), reverse=True))
