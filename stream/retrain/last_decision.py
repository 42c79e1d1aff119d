"""What the last finished round decided, as rounds keep it: read without what makes a round.

Source: `distill/archive.py` writes `TASK/rounds/VERSION/decision.json`, here or behind a URL.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import HaltError, RetryError
from schemas.files.remote_folder import RemoteFolder
from schemas.settings import Settings

TRIGGER_FOUND = "trigger found"
_MAX_BYTES = 16 * 1024**2


@dataclass(frozen=True, slots=True)
class LastDecision:
    """On which student, and why it was promoted or refused."""

    student: str
    reason: str

    @property
    def alarm(self) -> str:
        """What a person must look at, for each round decides the same until then; "" for none."""
        if self.reason != TRIGGER_FOUND:
            return ""
        return (
            f"{TRIGGER_FOUND}: the last round refused {self.student}, and the next ones will be: "
            f"look at the labels in rounds/{self.student}/triggers.jsonl, and forget what was "
            "planted"
        )


def last_decision(settings: Settings, task: str) -> LastDecision | None:
    """Read it; None where there was no round, or its place does not answer or is not ours."""
    try:
        return next(_newest_first(settings, task), None)
    except (HaltError, RetryError, OSError):
        return None


def _newest_first(settings: Settings, task: str) -> Iterator[LastDecision]:
    names, read = _place(settings, f"{task}/rounds")
    for version in sorted(names, reverse=True):
        try:
            found = json.loads(read(f"{version}/decision.json"))
            yield LastDecision(version, str(found["reason"]))
        except (FileNotFoundError, NotADirectoryError, ValueError, LookupError, TypeError):
            continue  # one that runs, or was cut off


def _place(settings: Settings, rounds: str) -> tuple[list[str], Callable[[str], bytes]]:
    distill = settings.distill
    if not isinstance(distill.snapshots, Path):
        remote = RemoteFolder(distill.snapshots, timeout_s=settings.student.registry_timeout_s)
        return (
            remote.names(rounds),
            lambda name: remote.read(f"{rounds}/{name}", max_bytes=_MAX_BYTES),
        )
    folder = distill.folder / rounds
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return names, lambda name: (folder / name).read_bytes()
