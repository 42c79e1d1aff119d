"""Forgetting texts: taking them out of what rounds and runs keep on this machine.

A snapshot is named after its rows, so one that loses some is another: `forgotten.json` in the
archive says which took whose place, and a round's decision still leads to its labels. In lines of
JSON a record goes with the text that it is about.
"""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from distill.archive import FORGOTTEN_NAME, OPINIONS_NAME, RoundArchive
from distill.labels.snapshot import labels_in, write_snapshot
from schemas.errors import ConfigError, GateError
from schemas.files.whole_files import write_whole, written
from schemas.settings import Settings
from schemas.types import text_digest
from schemas.wire.record_ids import label_keys
from schemas.wire.topics import TopicNames
from stream.kafka.signatures import Signatures, unverified
from stream.kafka.topic_logs import append, read_to_end

_GONE: Final = object()


@dataclass(slots=True)
class Forgotten:
    """What was taken out, or would be; `unread` are files that nobody can look into."""

    snapshots: int = 0
    records: int = 0
    unread: list[str] = field(default_factory=list)


def forget_in_archive(
    archive: RoundArchive, digests: AbstractSet[str], *, dry_run: bool
) -> Forgotten:
    """Take the texts with these digests out of snapshots and rounds; `GateError`, `DiskError`.

    The task's lock is held meanwhile: a round that runs would write them again.
    """
    if not archive.folder.is_dir():
        return Forgotten()
    with archive.lock():
        found = forget_in_folder(archive.folder, digests, dry_run=dry_run)
        for path in sorted(archive.folder.glob("labels-*.parquet")):
            _forget_in_snapshot(archive.folder, path, digests, found, dry_run=dry_run)
    return found


def forget_in_folder(folder: Path, digests: AbstractSet[str], *, dry_run: bool) -> Forgotten:
    """Take the records of the texts out of all JSON lines and opinions in a folder; `DiskError`."""
    found = Forgotten()
    for path in sorted([*folder.rglob("*.jsonl"), *folder.rglob(OPINIONS_NAME)]):
        try:
            told, n = _cleaned_file(path, digests)
        except (OSError, ValueError):
            found.unread.append(str(path))
            continue
        if n and not dry_run:
            write_whole(path, told)
        found.records += n
    return found


async def forget_labels(
    settings: Settings, task: str, digests: AbstractSet[str], *, dry_run: bool
) -> int:
    """Write a tombstone for every label of the texts that stands; give how many stood.

    A label that no trusted key signed stands too: `sign` would have it believed. A tombstone that
    none signed forgets nothing. In a topic that was widened a key may lie in several partitions:
    each gets a tombstone of its own. Raises `ConfigError` where none could be believed.
    """
    topic, signatures = TopicNames.of(settings.kafka).silver_labels, Signatures.of(settings.kafka)
    keys = {key for digest in digests for key in label_keys(task, digest)}
    standing: set[tuple[bytes, int]] = set()
    async for record in read_to_end(unverified(settings.kafka), topic):
        if record.key not in keys:
            continue
        if record.value is not None:
            standing.add((record.key, record.partition))
        elif not signatures.fault(topic, record.key, None, record.headers):
            standing.discard((record.key, record.partition))
    if not dry_run:
        require_key_to_forget(settings)
        for key, partition in sorted(standing):
            await append(settings.kafka, topic, key=key, value=None, partition=partition)
    return len(standing)


def require_key_to_forget(settings: Settings) -> None:
    """Raise `ConfigError` where labels must be signed, and we have no key for a tombstone."""
    topic, signatures = TopicNames.of(settings.kafka).silver_labels, Signatures.of(settings.kafka)
    if signatures.fault(topic, b"", None, signatures.headers(topic, b"", None)):
        raise ConfigError(
            "kafka.trusted_keys are set, and to forget a label takes a key that they trust: "
            "kafka.signing_key_file"
        )


def _forget_in_snapshot(
    folder: Path, path: Path, digests: AbstractSet[str], found: Forgotten, *, dry_run: bool
) -> None:
    try:
        labels = labels_in(path.read_bytes())
    except (OSError, GateError):
        found.unread.append(str(path))
        return
    left = [label for label in labels if text_digest(label.text) not in digests]
    if len(left) == len(labels):
        return
    found.snapshots += 1
    if dry_run:
        return
    # The new one first: whatever ends this between the steps, a second run goes on from there.
    new = write_snapshot(left, folder).path.name
    _succeed(folder / FORGOTTEN_NAME, path.name, new)
    with written(path):
        path.unlink()


def _succeed(file: Path, old: str, new: str) -> None:
    """Note that one snapshot took another's place, and the places of those before it."""
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    known = {name: new if heir == old else heir for name, heir in known.items()}
    write_whole(file, json.dumps({**known, old: new}, indent=2) + "\n")


def _cleaned_file(path: Path, digests: AbstractSet[str]) -> tuple[str, int]:
    """Give what is left of a file, and how many records were of the texts."""
    told = path.read_bytes().decode("utf-8")
    if path.suffix == ".json":
        left, n = _cleaned(json.loads(told), digests)
        return json.dumps(left, ensure_ascii=False) + "\n", n
    lines, n = list[str](), 0
    for line in told.split("\n"):
        left, removed = _cleaned(json.loads(line), digests) if line.strip() else (line, 0)
        n += removed
        if left is not _GONE:
            lines.append(json.dumps(left, ensure_ascii=False) if removed else line)
    return "\n".join(lines), n


def _cleaned(value: Any, digests: AbstractSet[str]) -> tuple[Any, int]:
    """Give a JSON value without what is about the texts, and how many records that were.

    A record is about its member `text`, or named after a text's digest.
    """
    if isinstance(value, dict):
        if _is_of(value.get("text"), digests):
            return _GONE, 1
        cleaned = {x: _cleaned(part, digests) for x, part in value.items() if x not in digests}
        kept = {name: left for name, (left, _) in cleaned.items() if left is not _GONE}
        return kept, sum(n for _, n in cleaned.values()) + len(value) - len(cleaned)
    if isinstance(value, list):
        parts = [_cleaned(part, digests) for part in value]
        return [left for left, _ in parts if left is not _GONE], sum(n for _, n in parts)
    return value, 0


def _is_of(value: object, digests: AbstractSet[str]) -> bool:
    try:
        return isinstance(value, str) and text_digest(value) in digests
    except UnicodeEncodeError:
        return False
