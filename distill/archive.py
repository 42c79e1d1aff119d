"""What a round leaves on disk, promoted or not.

::

    <snapshots>/<task>/
        labels-<digest>.parquet          one for each state of the labels
        rounds/<version>/decision.json   why the candidate was promoted or refused
                         manifest.json   what it was
                         pseudo-labels.jsonl
                                         what it learnt besides the labels, where it did; stays,
                                         as the snapshots do
                         doubts.jsonl    the labels that were doubted, and what became of them
                         triggers.jsonl  the labels that came with what turns its tags, where it was
                                         refused for that
                         bundle/         the candidate itself, for the newest rounds only
        questions.json                   what rounds may still ask to judge by, see
                                         `distill/judging/allowance.py`
        second-opinions.json             what was said when it was asked again about doubted labels
        forgotten.json                   which snapshot took whose place when a text was forgotten,
                                         see `distill/forget.py`
        .lock                            held while a round runs
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from distill.judging.allowance import Allowance, parsed
from distill.labels.doubts import Doubt
from distill.labels.second_opinions import SecondOpinions, opinions_in
from distill.labels.snapshot import Snapshot, write_snapshot
from schemas.clocks import past
from schemas.errors import GateError
from schemas.files.corpus import Example, write_jsonl
from schemas.files.kind import Kind
from schemas.files.manifest import MANIFEST_NAME
from schemas.files.whole_files import write_whole, written
from schemas.types import SilverLabel

DECISION_NAME = "decision.json"
PSEUDO_LABELS_NAME = "pseudo-labels.jsonl"
DOUBTS_NAME = "doubts.jsonl"
TRIGGERS_NAME = "triggers.jsonl"
QUESTIONS_NAME = "questions.json"
OPINIONS_NAME = "second-opinions.json"
FORGOTTEN_NAME = "forgotten.json"
KEEP_BUNDLES = 3
"""Rounds whose bundles stay: a refused candidate can still be looked at for a while."""


@dataclass(frozen=True, slots=True)
class RoundArchive:
    """The folder of one task's snapshots and rounds."""

    snapshots: Path
    task: str

    @property
    def folder(self) -> Path:
        """Where the task's snapshots lie."""
        return Path(self.snapshots) / self.task

    def bundle(self, version: str) -> Path:
        """Where the candidate of this version is made."""
        return self._round(version) / "bundle"

    def keep_snapshot(self, labels: Iterable[SilverLabel]) -> Snapshot:
        """Keep the labels of this moment; raises as `write_snapshot`."""
        return write_snapshot(labels, self.folder)

    def named(self, path: Path) -> str:
        """Say where a file of the archive lies, for results and decisions."""
        return str(path)

    def start(self, version: str) -> Path:
        """Make the round's folder; `GateError` when there was a round of this version.

        Rounds that ended without a decision are removed: by a signal, say, or because their
        promotion could not be recorded (if it was, the bundle store has the bundle). The lock is
        held, so none of them is running.
        """
        for folder in set(self.folder.glob("rounds/*")) - {self._round(version)}:
            if not (folder / DECISION_NAME).exists():
                shutil.rmtree(folder, ignore_errors=True)
        if self.bundle(version).exists():  # the lock is held: nobody makes it meanwhile
            raise GateError(f"there was a round {version} already: {self.bundle(version)}")
        with written(self.bundle(version)):
            self.bundle(version).mkdir(parents=True)
        return self.bundle(version)

    def keep_pseudo_labels(self, version: str, examples: Sequence[Example], kind: Kind) -> str:
        """Keep the texts that the candidate learnt by its own tags: no snapshot has them.

        Returns the file's SHA-256, "" where there are none.
        """
        if not examples:
            return ""
        path = self._round(version) / PSEUDO_LABELS_NAME
        with written(path):
            write_jsonl(path, examples, kind)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def keep_doubts(self, version: str, doubts: Sequence[Doubt]) -> None:
        """List the doubted labels for people, the surest contradiction first."""
        if doubts:
            lines = [json.dumps(one.as_dict(), ensure_ascii=False) for one in doubts]
            write_whole(self._round(version) / DOUBTS_NAME, "\n".join(lines) + "\n")

    def keep_triggers(self, version: str, lines: Sequence[Mapping[str, Any]]) -> str:
        """List the labels that came with triggers, for people; give the file, for `forget`."""
        path = self._round(version) / TRIGGERS_NAME
        told = [json.dumps(one, ensure_ascii=False) for one in lines]
        write_whole(path, "\n".join(told) + "\n")
        return str(path)

    def finish(self, version: str, decision: Mapping[str, Any]) -> Path:
        """Keep decision and manifest, and drop the bundles of older rounds; `DiskError`."""
        folder = self._round(version)
        manifest = (folder / "bundle" / MANIFEST_NAME).read_text(encoding="utf-8")
        write_whole(folder / MANIFEST_NAME, manifest)
        path = folder / DECISION_NAME
        write_whole(path, json.dumps(decision, indent=2) + "\n")
        for old in self._versions()[:-KEEP_BUNDLES]:
            shutil.rmtree(self.bundle(old), ignore_errors=True)
        return path

    def discard(self, version: str) -> None:
        """Forget a round that failed."""
        shutil.rmtree(self._round(version), ignore_errors=True)

    def started_at_ms(self, n: int, *, now_ms: int) -> list[int]:
        """When the newest `n` finished rounds began, the newest first; none of the future."""
        found = [self._decision(version).get("started_at_ms") for version in self._versions()]
        times = past((time for time in found if isinstance(time, int)), now_ms=now_ms)
        return sorted(times, reverse=True)[:n]

    def promoted(self) -> list[str]:
        """Give the versions that were promoted by rounds of this archive, the newest last."""
        return [x for x in self._versions() if self._decision(x).get("status") == "promoted"]

    def rounds(self) -> list[str]:
        """Name the students of all finished rounds, the oldest first."""
        return self._versions()

    def read(self, name: str) -> bytes | None:
        """Read what is kept under a name below the task's folder; None where it is not there."""
        try:
            return (self.folder / name).read_bytes()
        except OSError:
            return None

    def allowance(self) -> Allowance | None:
        """Give what rounds may still ask; None where nobody counted yet."""
        try:
            return parsed(json.loads((self.folder / QUESTIONS_NAME).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return None

    def keep_allowance(self, allowance: Allowance) -> None:
        """Keep what rounds may still ask, in one step."""
        self._keep(QUESTIONS_NAME, allowance.as_dict())

    def opinions(self) -> SecondOpinions:
        """Give the second opinions that were paid for."""
        try:
            return opinions_in(json.loads((self.folder / OPINIONS_NAME).read_text("utf-8")))
        except (OSError, ValueError):
            return SecondOpinions()

    def keep_opinions(self, opinions: SecondOpinions) -> None:
        """Keep the second opinions, in one step."""
        self._keep(OPINIONS_NAME, opinions.as_dict())

    def _keep(self, name: str, values: Mapping[str, Any]) -> None:
        write_whole(self.folder / name, json.dumps(values) + "\n")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the task for one round; `GateError` when another process holds it.

        The system lets go of the lock when the process ends, however it ends.
        """
        place = self.folder / ".lock"
        with written(place):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                held = FileLock(place, blocking=False, fallback_to_soft=False).acquire()
            except Timeout:
                raise GateError(f"another round of {self.task} is running") from None
        with held:
            yield

    def _round(self, version: str) -> Path:
        return self.folder / "rounds" / version

    def _versions(self) -> list[str]:
        """Versions of finished rounds, oldest first: they begin with their time."""
        return sorted(path.parent.name for path in self.folder.glob(f"rounds/*/{DECISION_NAME}"))

    def _decision(self, version: str) -> dict[str, Any]:
        try:
            found = json.loads((self._round(version) / DECISION_NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}  # a damaged record must not stop the loop: it only tells how long ago it was
        return found if isinstance(found, dict) else {}
