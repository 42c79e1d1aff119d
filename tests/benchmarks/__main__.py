"""`make bench`: our worker, the bare student, and what a user writes first, in one run.

One Apache Kafka, the same cores, the same ONNX file; contenders take turns, medians
of `--repeats`. CPU seconds are those of the contender's process, all threads, the
broker's left out. Prints a table and writes build/bench.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from schemas.files.corpus import read_corpus
from stream.kafka.local.embedded import free_port
from stream.tag.cores import usable_cores
from stream.testing.apache_kafka import ApacheKafka
from tests.benchmarks import students, swaps, traffic
from tests.benchmarks.faust_contender import FaustPipeline
from tests.benchmarks.measure import Rate, cpu_s, median, percentile, rss_bytes, wait_until
from tests.benchmarks.worker import PARTITIONS, Worker

Done = Callable[[], Coroutine[Any, Any, int]]
"""How many records a contender has finished so far."""

CONTENDERS = ("bare", "at_least_once", "exactly_once", "faust_pipeline")
console = Console()


@dataclass(frozen=True, slots=True)
class Bench:
    """What all contenders share."""

    bootstrap: str
    folder: Path
    made: students.Made
    texts: list[str]
    faust_records: int

    def worker(self, delivery: str, name: str) -> Worker:
        worker = Worker(name, delivery, self.bootstrap, self.folder, free_port())
        worker.write_settings(task=self.made.task, registry=self.made.registry)
        subprocess.run(worker.silverstream("topics", "create"), check=True, capture_output=True)
        asyncio.run(students.promote(worker, self.made.bundle, sequence=1))
        return worker


def measure_bare(bench: Bench) -> Rate:
    """Tag the same texts with no Kafka at all."""
    command = [sys.executable, "-m", "tests.benchmarks.bare", str(bench.made.bundle)]
    command += [str(bench.made.corpus), str(usable_cores())]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Rate(**json.loads(done.stdout))


def measure_worker(bench: Bench, delivery: str, turn: int) -> tuple[Rate, int]:
    """Between one and four fifths of a backlog, the same in hand at both; and the memory then."""
    worker = bench.worker(delivery, f"bench-{delivery.replace('_', '-')}-{turn}")
    _produce(bench, worker.topics.text, bench.texts)
    n = len(bench.texts)
    with worker.running() as pid:
        group = f"{worker.name}-{students.TASK_NAME}"
        done = partial(traffic.committed, bench.bootstrap, group)
        return _between(done, pid, n // 5, 4 * n // 5)


def measure_faust(bench: Bench, turn: int) -> tuple[Rate, int]:
    """The same, of Faust with the pipeline, on fewer records."""
    faust = FaustPipeline(bench.bootstrap, bench.folder, bench.made.plain, turn)
    faust.create_topics()
    n = bench.faust_records
    _produce(bench, faust.topic_in, bench.texts[:n])
    with faust.running() as pid:
        # Faust commits every few seconds; its outputs show sooner how far it has come.
        done = partial(traffic.length, bench.bootstrap, faust.topic_out)
        return _between(done, pid, n // 5, 4 * n // 5)


def _produce(bench: Bench, topic: str, texts: list[str]) -> None:
    asyncio.run(traffic.produce(bench.bootstrap, topic, texts, partitions=PARTITIONS))


def _between(done: Done, pid: int, first: int, last: int) -> tuple[Rate, int]:
    start, end = _sample(done, pid, first), _sample(done, pid, last)
    return Rate(end[0] - start[0], end[1] - start[1], end[2] - start[2]), rss_bytes(pid)


def _sample(done: Done, pid: int, at_least: int) -> tuple[int, float, float]:
    found = 0

    def reached() -> bool:
        nonlocal found
        found = asyncio.run(done())
        return found >= at_least

    wait_until(reached, what=f"{at_least} records to be done", timeout_s=600)
    return found, cpu_s(pid), time.perf_counter()


def measure_latency(bench: Bench, contender: str, half_load: float, seconds: float) -> list[float]:
    """Seconds from sending a text to reading its event, at half the contender's own throughput."""
    n = max(50, int(half_load * seconds))
    texts = [bench.texts[i % len(bench.texts)] for i in range(n)]
    with _consumer(bench, contender) as (topic_in, topic_out):
        return asyncio.run(
            traffic.latencies(
                bench.bootstrap,
                topic_in=topic_in,
                topic_out=topic_out,
                texts=texts,
                per_s=half_load,
                partitions=PARTITIONS,
            )
        )


@contextmanager
def _consumer(bench: Bench, contender: str) -> Iterator[tuple[str, str]]:
    if contender == "faust_pipeline":
        faust = FaustPipeline(bench.bootstrap, bench.folder, bench.made.plain, 99)
        faust.create_topics()
        with faust.running():
            yield faust.topic_in, faust.topic_out
    else:
        worker = bench.worker(contender, f"bench-latency-{contender.replace('_', '-')}")
        with worker.running():
            yield worker.topics.text, worker.topics.entities


def main() -> None:
    """Run all contenders in turn and write what was seen."""
    options = _options()
    console.print("Training the two students on a generated corpus ...")
    with tempfile.TemporaryDirectory() as name, ApacheKafka(brokers=1) as kafka:
        made = students.make(
            Path(name), n_texts=options.records, steps=options.steps, kind=options.kind
        )
        texts = [example.text for example in read_corpus(made.corpus)]
        bench = Bench(kafka.bootstrap_servers, Path(name), made, texts, options.faust_records)
        result = _run(bench, repeats=options.repeats, latency_s=options.latency_s)
        result["swaps"] = swaps.measure(bench, per_s=result["records_per_s"]["exactly_once"] / 2)
    _write(result, Path(options.json))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--faust-records", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60, help="training steps of each student")
    parser.add_argument("--kind", choices=["entities", "categories"], default="entities")
    parser.add_argument("--latency-s", type=float, default=20.0)
    parser.add_argument("--json", default="build/bench.json")
    return parser.parse_args()


def _run(bench: Bench, *, repeats: int, latency_s: float) -> dict[str, Any]:
    rates: dict[str, list[Rate]] = {name: [] for name in CONTENDERS}
    memory: dict[str, list[int]] = {name: [] for name in CONTENDERS[1:]}
    for turn in range(repeats):
        for name in CONTENDERS:
            console.print(f"turn {turn + 1} of {repeats}: {name}")
            rate, rss = _measure(bench, name, turn)
            rates[name].append(rate)
            if rss:
                memory[name].append(rss)
    per_s = {name: median(rate.records_per_s for rate in rates[name]) for name in CONTENDERS}
    return {
        "machine": {"cores": usable_cores(), "processor": platform.processor()},
        "records": {name: rates[name][0].records for name in CONTENDERS},
        "cpu_s_per_1000": {n: median(r.cpu_s_per_1000 for r in rates[n]) for n in CONTENDERS},
        "records_per_s": per_s,
        "memory_bytes": {name: median(memory[name]) for name in memory},
        "latency_s": {n: _latency(bench, n, per_s[n] / 2, latency_s) for n in CONTENDERS[1:]},
    }


def _measure(bench: Bench, name: str, turn: int) -> tuple[Rate, int]:
    if name == "bare":
        return measure_bare(bench), 0
    if name == "faust_pipeline":
        return measure_faust(bench, turn)
    return measure_worker(bench, name, turn)


def _latency(bench: Bench, name: str, half_load: float, seconds: float) -> dict[str, float]:
    console.print(f"latency of {name} at {half_load:.0f} records/s")
    seen = measure_latency(bench, name, half_load, seconds)
    return {"p50": percentile(seen, 0.50), "p99": percentile(seen, 0.99)}


def _write(result: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2), encoding="utf-8")
    console.print(_table(result))
    console.print(result["swaps"])
    console.print(f"written to {path}")


def _table(result: dict[str, Any]) -> Table:
    table = Table("contender", "CPU s / 1,000", "x bare", "records/s", "p50 ms", "p99 ms", "MB")
    bare = result["cpu_s_per_1000"]["bare"]
    for name in CONTENDERS:
        cpu = result["cpu_s_per_1000"][name]
        latency, memory = result["latency_s"].get(name), result["memory_bytes"].get(name)
        table.add_row(
            name,
            f"{cpu:.3f}",
            f"{cpu / bare:.2f}",
            f"{result['records_per_s'][name]:.0f}",
            f"{1000 * latency['p50']:.0f}" if latency else "-",
            f"{1000 * latency['p99']:.0f}" if latency else "-",
            f"{memory / 1e6:.0f}" if memory else "-",
        )
    return table


if __name__ == "__main__":
    main()
