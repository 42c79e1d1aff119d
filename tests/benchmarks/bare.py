"""The yardstick: the student alone, no Kafka, on every core this process may use.

Run as `python -m tests.benchmarks.bare BUNDLE TEXTS.jsonl RUNS`; prints one JSON line.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from schemas.files.corpus import read_corpus
from stream.student import Student

CHUNK_RECORDS = 512


def main(bundle: str, corpus: str, runs: str) -> None:
    """Tag all texts in chunks of a lane's batch size, one thread a run."""
    student = Student.load(Path(bundle))
    texts = [example.text for example in read_corpus(Path(corpus))]
    chunks = [texts[i : i + CHUNK_RECORDS] for i in range(0, len(texts), CHUNK_RECORDS)]
    student.tag(chunks[0])
    cpu, wall = time.process_time(), time.perf_counter()
    with ThreadPoolExecutor(int(runs)) as pool:
        list(pool.map(student.tag, chunks))
    print(  # noqa: T201 - the parent reads it
        json.dumps(
            {
                "records": len(texts),
                "cpu_s": time.process_time() - cpu,
                "wall_s": time.perf_counter() - wall,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:4])
