"""Snapshots and records of rounds behind a URL; the work itself stays in a folder of this machine.

The labels are there before the training begins: a store that is away costs no training. What a
finished round leaves follows, the decision last; where that fails, the next round brings it. The
lock is the machine's, so two machines are not kept apart: the log of promotions then decides,
and the slower round fails. Candidates' weights stay here; promoted ones are in the bundle store.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import structlog

from distill.archive import (
    DECISION_NAME,
    DOUBTS_NAME,
    OPINIONS_NAME,
    PSEUDO_LABELS_NAME,
    QUESTIONS_NAME,
    TRIGGERS_NAME,
    RoundArchive,
)
from distill.judging.allowance import Allowance, parsed
from distill.labels.second_opinions import SecondOpinions, opinions_in
from distill.labels.snapshot import Snapshot
from schemas.errors import BundleError, StoreDeniedError, StoreUnavailableError
from schemas.files.manifest import MANIFEST_NAME
from schemas.files.remote_folder import RemoteFolder
from schemas.settings import Settings
from schemas.types import SilverLabel

_log = structlog.get_logger(__name__)

_SENT_NAME = ".sent"
_FINISHED = (PSEUDO_LABELS_NAME, DOUBTS_NAME, TRIGGERS_NAME, MANIFEST_NAME, DECISION_NAME)
"""Of a round, in this order: one with a decision is whole."""
_MAX_DECISION_BYTES = 16 * 1024**2
_MAX_KEPT_BYTES = 2 * 1024**3
"""Of a snapshot of millions of labels."""
_UNTOLD = (FileNotFoundError, BundleError, ValueError)
"""What the store does not have, or what is damaged there."""


@dataclass(frozen=True, slots=True)
class RemoteArchive(RoundArchive):
    """A `RoundArchive` that brings what it keeps to `remote`, in the same layout."""

    remote: RemoteFolder

    def keep_snapshot(self, labels: Iterable[SilverLabel]) -> Snapshot:
        """Keep the labels here and there; `StoreUnavailableError`, `StoreDeniedError`."""
        # Of the class by name: `super()` does not work in a dataclass with slots.
        snapshot = RoundArchive.keep_snapshot(self, labels)
        with suppress(FileExistsError):  # named after its rows: what is there is this one
            self.remote.write(self._name(snapshot.path), snapshot.path.read_bytes(), fresh=True)
        return snapshot

    def named(self, path: Path) -> str:
        """Say where the file lies for others."""
        return f"{self.remote.shown.rstrip('/')}/{self._name(path)}"

    def finish(self, version: str, decision: Mapping[str, Any]) -> Path:
        """Keep decision and manifest, and bring them, and what was not brought before."""
        path = RoundArchive.finish(self, version, decision)
        try:
            self._send_finished()
        except (StoreUnavailableError, StoreDeniedError) as error:
            # The decision stands, and is kept here: the round must not fail for it.
            _log.error("records_not_sent", error=error.code, message=str(error))
        return path

    def started_at_ms(self, n: int, *, now_ms: int) -> list[int]:
        """When the newest `n` finished rounds began, on whatever machine, the newest first."""
        here = RoundArchive.started_at_ms(self, n, now_ms=now_ms)
        there = islice((ms for ms in self._started_there() if ms <= now_ms), n)
        return sorted({*here, *there}, reverse=True)[:n]

    def promoted(self) -> list[str]:
        """Give the versions that rounds on whatever machine promoted; `StoreUnavailableError`."""
        return [x for x in self.rounds() if self._status(x) == "promoted"]

    def _status(self, version: str) -> object:
        try:
            return json.loads(self.read(f"rounds/{version}/{DECISION_NAME}") or b"null")["status"]
        except (ValueError, LookupError, TypeError):
            return None  # half sent, or damaged

    def rounds(self) -> list[str]:
        """Name the students of rounds on whatever machine; `StoreUnavailableError`."""
        there = self.remote.names(f"{self.task}/rounds")
        return sorted({*RoundArchive.rounds(self), *there})

    def read(self, name: str) -> bytes | None:
        """Read it here, or else from the store; raises `StoreUnavailableError`."""
        if (here := RoundArchive.read(self, name)) is not None:
            return here
        try:
            return self.remote.read(f"{self.task}/{name}", max_bytes=_MAX_KEPT_BYTES)
        except (FileNotFoundError, BundleError):
            return None

    def allowance(self) -> Allowance | None:
        """Give what the store says, on whatever machine it was spent."""
        try:
            return parsed(self._told(QUESTIONS_NAME))
        except _UNTOLD:
            return RoundArchive.allowance(self)

    def keep_allowance(self, allowance: Allowance) -> None:
        """Keep it here and there; `StoreUnavailableError`, `StoreDeniedError`."""
        RoundArchive.keep_allowance(self, allowance)
        self._tell(QUESTIONS_NAME)

    def opinions(self) -> SecondOpinions:
        """Give what the store says, whatever machine asked."""
        try:
            return opinions_in(self._told(OPINIONS_NAME))
        except _UNTOLD:
            return RoundArchive.opinions(self)

    def keep_opinions(self, opinions: SecondOpinions) -> None:
        """Keep them here and there; `StoreUnavailableError`, `StoreDeniedError`."""
        RoundArchive.keep_opinions(self, opinions)
        self._tell(OPINIONS_NAME)

    def _told(self, name: str) -> Any:
        path = self._name(self.folder / name)
        return json.loads(self.remote.read(path, max_bytes=_MAX_DECISION_BYTES))

    def _tell(self, name: str) -> None:
        path = self.folder / name
        self.remote.write(self._name(path), path.read_bytes())

    def _started_there(self) -> Iterator[int]:
        """Yield when the rounds in the store began, the newest first."""
        rounds = f"{self.task}/rounds"
        for version in reversed(self.remote.names(rounds)):
            try:
                data = self.remote.read(
                    f"{rounds}/{version}/{DECISION_NAME}", max_bytes=_MAX_DECISION_BYTES
                )
                time = json.loads(data)["started_at_ms"]
            except (FileNotFoundError, BundleError, ValueError, LookupError, TypeError):
                continue  # half sent, or damaged: it only tells how long ago it was
            if isinstance(time, int):
                yield time

    def _send_finished(self) -> None:
        for decision in sorted(self.folder.glob(f"rounds/*/{DECISION_NAME}")):
            if not (sent := decision.with_name(_SENT_NAME)).exists():
                for name in _FINISHED:
                    if (path := decision.with_name(name)).exists():
                        self.remote.write(self._name(path), path.read_bytes())
                sent.touch()

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder.parent).as_posix()


def open_archive(settings: Settings, task: str) -> RoundArchive:
    """Open what `distill.snapshots` names; `ConfigError` when its driver is missing."""
    distill = settings.distill
    if isinstance(distill.snapshots, Path):
        return RoundArchive(distill.folder, task)
    remote = RemoteFolder(distill.snapshots, timeout_s=settings.student.registry_timeout_s)
    return RemoteArchive(distill.folder, task, remote)
