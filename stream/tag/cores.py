"""How many cores this process may use: the host's number is not the container's."""

from __future__ import annotations

import math
import os
from pathlib import Path


def usable_cores(root: Path = Path("/")) -> int:
    """At least 1: the scheduler's affinity mask, and the cgroup CPU quotas above us, rounded up.

    `root` is where `proc` and `sys` are found. Source: cgroup v2's `cpu.max` and v1's
    `cpu.cfs_quota_us`, in the kernel's admin guide.
    """
    quotas = [quota for folder in _cgroups(root) if (quota := _quota(folder)) is not None]
    return max(1, min([_affinity(), *(math.ceil(quota) for quota in quotas)]))


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cgroups(root: Path) -> list[Path]:
    """Folders of this process's cgroup and of each one above it, v2 and v1."""
    fs = root / "sys/fs/cgroup"
    lines = (_read(root / "proc/self/cgroup") or "").splitlines()
    paths = [Path(line.split(":", 2)[2].lstrip("/")) for line in lines if line.count(":") > 1]
    nested = {parent for path in paths for parent in (path, *path.parents)}
    return [base / path for base in (fs, fs / "cpu") for path in {Path(), *nested}]


def _quota(folder: Path) -> float | None:
    words = (_read(folder / "cpu.max") or "").split()
    if not words:
        names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        words = [(_read(folder / name) or "").strip() for name in names]
    try:
        quota, period = (float(word) for word in words)
    except ValueError:  # "max", or no such file
        return None
    return quota / period if quota > 0 and period > 0 else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None
