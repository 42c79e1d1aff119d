"""What `bootstrap FILE --limit N` takes to choose its texts from a file that no memory should hold.

    python -m tests.benchmarks.many_texts [--lines N] [--limit N] [--whole]

Made-up texts, a JSON object a line, are written to a temporary file. Then they are read as the
command reads them and chosen for spread, in this process. `--whole` reads them as without
`--limit`, to compare. Prints the file's size, CPU seconds, and the peak of the process's memory
before and after, as JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from itertools import accumulate
from pathlib import Path

from distill.labels.spread import chosen_for_spread
from schemas.files.corpus import reading
from stream.cli.bootstrap import read_sample, read_texts

_WORDS = 20_000
_WORDS_EACH = 14


def write_texts(path: Path, n: int) -> None:
    """Write `n` lines; of the words some are frequent and most are rare."""
    lot = random.Random(0)
    words = ["".join(lot.choices("abdegiklmnorst", k=lot.randint(2, 10))) for _ in range(_WORDS)]
    frequent_first = [*accumulate(1 / (rank + 1) for rank in range(_WORDS))]
    with path.open("w", encoding="utf-8") as file:
        for number in range(n):
            told = " ".join(lot.choices(words, cum_weights=frequent_first, k=_WORDS_EACH))
            file.write(json.dumps({"text": f"{told} {number}"}) + "\n")


def peak_mb() -> int:
    """Tell the most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--limit", type=int, default=800)
    parser.add_argument("--whole", action="store_true")
    given = parser.parse_args()
    how = reading(None, None, None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.jsonl"
        write_texts(path, given.lines)
        before_mb, began_s = peak_mb(), time.process_time()
        if given.whole:
            found, unseen = read_texts(path, labelled=False, how=how), 0
        else:
            found, unseen = read_sample(path, how=how, limit=given.limit, seed=0)
        read_s = time.process_time() - began_s
        chosen = [] if given.whole else chosen_for_spread(found.examples, given.limit, seed=0)
        told = {
            "lines": given.lines,
            "file_mb": round(path.stat().st_size / 1e6),
            "in_memory": len(found.examples),
            "left_out": unseen,
            "chosen": len(chosen),
            "read_cpu_s": round(read_s, 1),
            "chosen_cpu_s": round(time.process_time() - began_s - read_s, 1),
            "peak_mb_before": before_mb,
            "peak_mb": peak_mb(),
        }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
