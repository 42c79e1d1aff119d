from __future__ import annotations

import os
from pathlib import Path

import pytest

from stream.tag.cores import usable_cores


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


@pytest.fixture(name="_sixteen", autouse=True)
def _sixteen_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)


def test_without_cgroups_it_is_the_affinity_mask(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == 16


@pytest.mark.parametrize(
    ("cpu_max", "expected"),
    [
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("10000 100000", 1),
        ("max 100000", 16),
        ("9900000 100000", 16),
        ("", 16),
        ("nonsense", 16),
    ],
)
def test_a_quota_of_cgroup_v2_bounds_it_rounded_up(
    tmp_path: Path, cpu_max: str, expected: int
) -> None:
    write(tmp_path / "sys/fs/cgroup/cpu.max", cpu_max)
    assert usable_cores(tmp_path) == expected


def test_the_tightest_quota_above_the_process_counts(tmp_path: Path) -> None:
    write(tmp_path / "proc/self/cgroup", "0::/pod/container\n")
    write(tmp_path / "sys/fs/cgroup/pod/cpu.max", "300000 100000")
    write(tmp_path / "sys/fs/cgroup/pod/container/cpu.max", "800000 100000")
    assert usable_cores(tmp_path) == 3


@pytest.mark.parametrize(("quota", "expected"), [("400000", 4), ("-1", 16)])
def test_a_quota_of_cgroup_v1_bounds_it(tmp_path: Path, quota: str, expected: int) -> None:
    write(tmp_path / "sys/fs/cgroup/cpu/cpu.cfs_quota_us", f"{quota}\n")
    write(tmp_path / "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")
    assert usable_cores(tmp_path) == expected


def test_on_this_machine_it_is_at_least_one() -> None:
    assert usable_cores() >= 1
