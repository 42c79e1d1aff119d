"""What the archive has of rounds, read back; what is not there any more is None."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from distill.archive import (
    DECISION_NAME,
    DOUBTS_NAME,
    FORGOTTEN_NAME,
    PSEUDO_LABELS_NAME,
    RoundArchive,
)
from schemas.errors import BundleError
from schemas.files.manifest import MANIFEST_NAME, Manifest, parse_manifest


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """A finished round: its decision, as `RoundResult.as_dict` gave it."""

    archive: RoundArchive
    version: str
    decision: Mapping[str, Any]

    @property
    def started_at_ms(self) -> int:
        """When it began; 0 where the decision does not say."""
        told = self.decision.get("started_at_ms")
        return told if isinstance(told, int) else 0

    @property
    def champion(self) -> str:
        """The student that it was held against; "" for none."""
        return str(self.decision.get("champion") or "")

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the training told; empty where nothing was tried."""
        return (self.decision.get("trial") or {}).get("facts") or {}

    def snapshot(self) -> bytes | None:
        """Give the file of the labels that it went by."""
        told = self.decision.get("snapshot")
        if not isinstance(told, str):
            return None
        # A path of whatever machine wrote it, or a URL: its last part is the name here.
        name = PurePosixPath(told).name
        heirs = _json(self.archive.read(FORGOTTEN_NAME) or b"")
        return self.archive.read(str(heirs.get(name, name)) if isinstance(heirs, dict) else name)

    def manifest(self) -> Manifest | None:
        """Give the manifest of its student; None for one that cannot be read, too."""
        data = self._read(MANIFEST_NAME)
        try:
            return parse_manifest(data) if data is not None else None
        except BundleError:
            return None

    def doubts(self) -> list[dict[str, Any]]:
        """Give the labels that it doubted, see `Doubt.as_dict`."""
        return list(self._lines(DOUBTS_NAME))

    def pseudo_labels(self) -> list[dict[str, Any]]:
        """Give what its student learnt besides the labels, as a corpus has it."""
        return list(self._lines(PSEUDO_LABELS_NAME))

    def _read(self, name: str) -> bytes | None:
        return self.archive.read(f"rounds/{self.version}/{name}")

    def _lines(self, name: str) -> Iterator[dict[str, Any]]:
        for line in (self._read(name) or b"").decode("utf-8", "replace").split("\n"):
            if isinstance(found := _json(line), dict):
                yield found


def finished_rounds(archive: RoundArchive, *, most: int | None = None) -> list[RoundRecord]:
    """Read the decisions of the newest rounds, the oldest of them first.

    A decision that cannot be read tells nothing. Raises `StoreUnavailableError`.
    """
    versions = archive.rounds()
    found = []
    for version in versions if most is None else versions[-most:]:
        decision = _json(archive.read(f"rounds/{version}/{DECISION_NAME}") or b"")
        found.append(RoundRecord(archive, version, decision if isinstance(decision, dict) else {}))
    return found


def _json(told: str | bytes) -> Any:
    try:
        return json.loads(told)
    except ValueError:
        return None
