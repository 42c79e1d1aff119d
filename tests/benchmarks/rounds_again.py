"""The rounds of a finished replay, trained again by today's code on the very same labels.

`python -m tests.benchmarks.rounds_again WORK RESULT.json`: WORK is the folder that `silverstream
replay --work WORK` left, by this version or an older one, RESULT.json what its `--json` wrote.
Prints strict span F1 on the held-out file, as it was and as it is. A replay played anew takes other
paths by chance (who was asked when); the same labels do not.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from distill.labels.snapshot import read_snapshot
from schemas.settings import load_settings
from tests.benchmarks.recipes import trained_f1


def students_of(result: dict[str, Any]) -> dict[str, float]:
    """F1 on the held-out file of each student that the replay trained, by version."""
    cold = result["students"]["cold"]
    rounds = {one["student"]: one["student_f1"] for one in result["rounds"] if one["student"]}
    return {cold["version"]: cold["f1"], **rounds}


def main() -> None:
    """Train each once more; print a line as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("result", type=Path)
    options = parser.parse_args()
    settings = load_settings(options.work / "settings.yaml")
    console, table = Console(width=100), Table("student", "labels", "F1 then, %", "F1 again, %")
    for version, f1 in students_of(json.loads(options.result.read_text())).items():
        (manifest,) = options.work.glob(f"snapshots/*/rounds/{version}/manifest.json")
        digest = json.loads(manifest.read_text())["lineage"]["snapshot"]
        snapshot = read_snapshot(
            manifest.parents[2] / f"labels-{digest[:16]}.parquet", digest=digest
        )
        _, labels, *_, f1s = trained_f1(settings, snapshot, {}, None)
        row = (version, labels, f"{100 * f1:.1f}", f1s.split(", ")[-1])
        console.print(*row)
        table.add_row(*row)
    console.print(table)


if __name__ == "__main__":
    main()
