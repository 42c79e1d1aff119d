"""Twenty swaps under load: what they do to latency and memory, and that nothing is lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.benchmarks import students, traffic
from tests.benchmarks.measure import percentile, rss_bytes
from tests.benchmarks.worker import PARTITIONS, Worker

if TYPE_CHECKING:  # the parent imports this module
    from tests.benchmarks.__main__ import Bench

N_SWAPS = 20
SWAP_EVERY_S = 2.0


def measure(bench: Bench, *, per_s: float) -> dict[str, Any]:
    """Latency and memory of an exactly-once worker before and during the swaps, in one run."""
    worker = bench.worker("exactly_once", "bench-swaps")
    n = int(per_s * N_SWAPS * SWAP_EVERY_S)
    texts = [bench.texts[i % len(bench.texts)] for i in range(n)]
    with worker.running() as pid:
        before = asyncio.run(_load(worker, texts, per_s))
        rss_before = rss_bytes(pid)
        during = asyncio.run(_load_and_swap(bench, worker, texts, per_s))
        rss_after = rss_bytes(pid)
        swaps = worker.metric("silverstream_swaps_total") - 1  # but the first student
    return {
        "swaps": swaps,
        "records": 2 * n,
        "lost": 2 * n - len(before) - len(during),
        "p99_s_before": percentile(before, 0.99),
        "p99_s_during": percentile(during, 0.99),
        "p99_ratio": percentile(during, 0.99) / percentile(before, 0.99),
        "memory_ratio": rss_after / rss_before,
    }


async def _load_and_swap(
    bench: Bench, worker: Worker, texts: list[str], per_s: float
) -> list[float]:
    swaps = asyncio.create_task(_swap_often(bench, worker))
    seen = await _load(worker, texts, per_s)
    await swaps
    return seen


async def _swap_often(bench: Bench, worker: Worker) -> None:
    for i in range(N_SWAPS):
        bundle = bench.made.other if i % 2 == 0 else bench.made.bundle
        await students.promote(worker, bundle, sequence=2 + i)
        await asyncio.sleep(SWAP_EVERY_S * 0.8)


async def _load(worker: Worker, texts: list[str], per_s: float) -> list[float]:
    return await traffic.latencies(
        worker.bootstrap,
        topic_in=worker.topics.text,
        topic_out=worker.topics.entities,
        texts=texts,
        per_s=per_s,
        partitions=PARTITIONS,
    )
