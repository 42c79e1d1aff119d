"""How long a worker takes from its start to the first event that a consumer reads.

`python -m tests.benchmarks.startup [--repeats N]`: a text waits on its topic, on one Apache Kafka,
with a tiny student (a look-up table, so that the code and not the model is measured); then
`silverstream run tag` is started anew, exactly-once. Prints the seconds of each start as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from rich.console import Console

from schemas.files.task import LabelSpec, Task
from schemas.files.task_file import task_yaml
from stream.kafka.local.embedded import free_port
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.bundles import write_bundle
from tests.benchmarks import students
from tests.benchmarks.worker import Worker

TASK = Task(students.TASK_NAME, "en", (LabelSpec("PER"),))
TIMEOUT_S = 120.0
console = Console()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    with ApacheKafka() as kafka, tempfile.TemporaryDirectory() as folder:
        worker = prepared(Path(folder), kafka.bootstrap_servers)
        asyncio.run(started(worker))  # the first start compiles and fills the caches
        seconds = [asyncio.run(started(worker)) for _ in range(repeats)]
    console.print_json(json.dumps({"seconds": seconds, "median": statistics.median(seconds)}))


def prepared(folder: Path, bootstrap: str) -> Worker:
    """Topics, a student and its promotion."""
    (folder / "task.yaml").write_text(task_yaml(TASK), encoding="utf-8")
    bundle = folder / "models" / TASK.name / "one"
    write_bundle(
        bundle,
        labels=TASK.label_names,
        words={"ada": "B-PER"},
        version="one",
        task=TASK.name,
        task_digest=TASK.digest,
    )
    worker = Worker("startup", "exactly_once", bootstrap, folder, free_port())
    worker.write_settings(task=folder / "task.yaml", registry=folder / "models")
    subprocess.run(worker.silverstream("topics", "create"), check=True, capture_output=True)
    asyncio.run(students.promote(worker, bundle, sequence=1))
    return worker


async def started(worker: Worker) -> float:
    """Start the worker on one waiting text; seconds until its event is read."""
    topics = worker.topics
    reader = AIOKafkaConsumer(
        topics.entities,
        bootstrap_servers=worker.bootstrap,
        isolation_level="read_committed",
        fetch_max_wait_ms=10,
    )
    producer = AIOKafkaProducer(bootstrap_servers=worker.bootstrap)
    await reader.start()
    await reader.seek_to_end()
    await producer.start()
    try:
        await producer.send_and_wait(topics.text, b"Met Ada", partition=0)
        began = time.perf_counter()
        process = _spawned(worker)
        try:
            await asyncio.wait_for(reader.getone(), TIMEOUT_S)
            return time.perf_counter() - began
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
    finally:
        await producer.stop()
        await reader.stop()


def _spawned(worker: Worker) -> subprocess.Popen[bytes]:
    with (worker.folder / "startup.log").open("ab") as log:
        return subprocess.Popen(
            worker.silverstream("run", "tag"), stdout=log, stderr=log, env=dict(os.environ)
        )


if __name__ == "__main__":
    main()
