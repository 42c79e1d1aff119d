"""CPU seconds, memory and waiting, all of other processes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Rate:
    """One measured run: CPU and wall seconds for `records` records."""

    records: int
    cpu_s: float
    wall_s: float

    @property
    def cpu_s_per_1000(self) -> float:
        return 1000 * self.cpu_s / self.records

    @property
    def records_per_s(self) -> float:
        return self.records / self.wall_s


def cpu_s(pid: int) -> float:
    """CPU seconds, user and system, of all threads of a process so far."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def rss_bytes(pid: int) -> int:
    """Resident memory of a process."""
    return int(psutil.Process(pid).memory_info().rss)


def median(values: Iterable[float]) -> float:
    """The middle of several runs."""
    return float(statistics.median(values))


def percentile(values: Iterable[float], share: float) -> float:
    """The value under which `share` of `values` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def wait_until(done: Callable[[], bool], *, what: str, timeout_s: float = 300.0) -> None:
    """Poll a condition; `TimeoutError` names what did not come."""
    deadline = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s:.0f} s for {what}")
        time.sleep(0.2)  # each look is a Kafka client of its own
