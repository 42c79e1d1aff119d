"""The mark: where the last round began, kept in a file.

So a restart neither forgets labels nor counts them twice.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from schemas.files.whole_files import write_whole

_NAME = "last-round.json"


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the last round began: the labels' end offsets by partition, and the time."""

    offsets: dict[str, int] = field(default_factory=dict)
    started_s: float = 0.0


def mark_path(snapshots: Path, task: str) -> Path:
    """Where the task's mark lies."""
    return snapshots / task / _NAME


def read_mark(path: Path) -> Mark:
    """Read the mark of the last round; an empty one when there is none, or none that reads."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        offsets = {str(name): int(offset) for name, offset in values["offsets"].items()}
        return Mark(offsets, float(values["started_s"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Mark()


def write_mark(path: Path, mark: Mark) -> None:
    """Replace the mark in one step; raises `DiskError`."""
    write_whole(path, json.dumps(asdict(mark)))
