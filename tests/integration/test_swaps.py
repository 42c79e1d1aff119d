"""Students swapped under load: nothing is lost, nothing comes twice, memory does not grow."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import psutil
import pytest

from stream.testing.apache_kafka import ApacheKafka

N_SWAPS = 20
# Big enough (some 10 MB each in memory) that students which are never let go of would show.
WORDS = {f"name{i}": "B-PER" for i in range(40_000)}


@pytest.mark.kafka
async def test_twenty_swaps_under_load_lose_nothing_and_give_the_memory_back(
    make_system: Any, apache_kafka: ApacheKafka
) -> None:
    system = make_system(apache_kafka.bootstrap_servers, kafka={"delivery": "exactly_once"})
    await system.create_topics()
    await system.promote("v0", words=WORDS)
    worker = system.start("run", "tag")
    await worker.until_ready(student="v0")
    process = psutil.Process(worker.process.pid)
    stop = asyncio.Event()
    load = asyncio.create_task(_load(system, stop))
    await system.until_events(500)  # it is warm
    memory = process.memory_info().rss

    for number in range(1, N_SWAPS + 1):
        await system.promote(f"v{number}", words=WORDS)
        await worker.until_ready(student=f"v{number}")
    stop.set()
    n_sent = await load

    events = await system.until_events(n_sent)
    assert len(events) == len({event.record_id for event in events}) == n_sent
    assert await worker.metric("silverstream_swaps_total") == N_SWAPS + 1
    assert await worker.metric("silverstream_swap_failures_total") == 0
    by_student = Counter(event.student_version for event in events)
    assert by_student.keys() == {f"v{number}" for number in range(N_SWAPS + 1)}
    assert process.memory_info().rss <= 1.5 * memory
    assert await worker.stop() == 0


async def _load(system: Any, stop: asyncio.Event) -> int:
    """Produce without a pause until told to stop; return how many records that was."""
    n_sent = 0
    while not stop.is_set():
        await system.produce([f"name{n_sent + i} in Oslo".encode() for i in range(100)])
        n_sent += 100
    return n_sent
