"""Memory: giving back what a swapped-out student leaves, and how much there is left.

What it leaves is scattered over malloc's heaps: glibc keeps freed memory of every thread for later;
one trim after each load gives most of it back (docs/measurements.md, Speed).

Sources: https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/memory.html.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

_ENDLESS: Final = 2**63 - 1
_MOUNT: Final = Path("/sys/fs/cgroup")
_OWN_GROUPS: Final = Path("/proc/self/cgroup")
_VERSION_2: Final = ("memory.max", "memory.current", "inactive_file")
_VERSION_1: Final = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
"""Files of the limit and of what is taken, and the line of `memory.stat` of idle pages."""


def _c_library() -> Any:
    return ctypes.CDLL(None)


def give_back_memory(*, c_library: Callable[[], Any] = _c_library) -> None:
    """Return freed memory to the system where the C library can (glibc); else do nothing."""
    try:
        trim = c_library().malloc_trim
    except (OSError, AttributeError, TypeError):  # musl, macOS; Windows has no CDLL(None)
        return
    trim(0)


def room_bytes(*, mount: Path = _MOUNT, own: Path = _OWN_GROUPS) -> int:
    """Give how much memory this process's container has left; endless where it has no limit.

    The least that its control group and those above leave, whether of version 2 or 1. What the
    kernel can take back at once, files' pages that nobody read of late, counts as left.
    """
    groups = [group for path in _groups(own) for group in (path, *path.parents)]
    found = [
        _left(folder, *names)
        for group in groups
        for folder, names in ((mount / group, _VERSION_2), (mount / "memory" / group, _VERSION_1))
    ]
    return min(found, default=_ENDLESS)


def _groups(own: Path) -> set[Path]:
    """Read the groups of this process, below the mount; without the file, the root of all."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        lines = []
    return {Path(line.split(":", 2)[2].lstrip("/")) for line in lines if line.count(":") > 1} | {
        Path()
    }


def _left(folder: Path, most: str, used: str, idle: str) -> int:
    try:
        limit = int((folder / most).read_text())
        taken = int((folder / used).read_text())
        told = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such group, or "max"
        return _ENDLESS
    return max(limit - taken + int(told.get(idle, 0)), 0)
