"""Forgetting texts: taking them out of what rounds and runs keep on this machine.

A snapshot is named after its rows, so one that loses some is another: `forgotten.json` in the
archive says which took whose place, and a round's decision still leads to its labels. In lines of
JSON a record goes with the text that it is about.
"""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiokafka import ConsumerRecord

from distill.archive import FORGOTTEN_NAME, OPINIONS_NAME, RoundArchive
from distill.labels.snapshot import labels_in, write_snapshot
from schemas.errors import ConfigError, DecodeError, GateError
from schemas.files.whole_files import write_whole, written
from schemas.settings import KafkaSettings, Settings
from schemas.types import SilverLabel, text_digest
from schemas.wire.codec import Codec, open_codec
from schemas.wire.keyed import decode_keyed
from schemas.wire.record_ids import label_keys, text_of_key
from schemas.wire.topics import TopicNames
from stream.kafka.signatures import HEADER, Signatures, unverified
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

    A label that no trusted key signed stands too: `sign` would have it believed. So does one under
    the key of another text: what is believed of that text is written again. A tombstone that none
    signed forgets nothing. In a topic that was widened a key may lie in several partitions: each
    gets a tombstone of its own. Raises `ConfigError` where none could be believed.
    """
    topic = TopicNames.of(settings.kafka).silver_labels
    async with open_codec(settings.schema_registry) as codec:
        standing = await _standing(settings.kafka, topic, codec, task, digests)
        if dry_run:
            return len(standing)
        require_key_to_forget(settings)
        keys = {key for digest in digests for key in label_keys(task, digest)}
        others = {text_of_key(key) for key, _ in standing} - {text_of_key(key) for key in keys}
        kept = await _believed(settings.kafka, topic, codec, others)
    for key, partition in sorted(standing - kept.keys()):
        await append(settings.kafka, topic, key=key, value=None, partition=partition)
    for (key, partition), record in kept.items():
        headers = tuple((name, data) for name, data in record.headers if name != HEADER)
        await append(
            settings.kafka,
            topic,
            key=key,
            value=record.value,
            headers=headers,
            partition=partition,
        )
    return len(standing)


async def _standing(
    kafka: KafkaSettings, topic: str, codec: Codec, task: str, digests: AbstractSet[str]
) -> set[tuple[bytes, int]]:
    """Name the keys and partitions whose newest record is about one of the texts."""
    signatures = Signatures.of(kafka)
    keys = {key for digest in digests for key in label_keys(task, digest)}
    found: set[tuple[bytes, int]] = set()
    async with aclosing(read_to_end(unverified(kafka), topic)) as records:
        async for record in records:
            place = record.key or b"", record.partition
            if record.value is not None:
                about = place[0] in keys or await _is_about(record, codec, task, digests)
                (found.add if about else found.discard)(place)
            elif not signatures.fault(topic, record.key, None, record.headers):
                found.discard(place)
    return found


async def _is_about(
    record: ConsumerRecord, codec: Codec, task: str, digests: AbstractSet[str]
) -> bool:
    """Whether a label is of one of the texts, whatever key it lies under."""
    await codec.resolve([record.value])
    try:
        label = codec.decode(SilverLabel, record.value)
    except DecodeError:
        return False
    return label.task == task and text_digest(label.text) in digests


async def _believed(
    kafka: KafkaSettings, topic: str, codec: Codec, texts: AbstractSet[bytes]
) -> dict[tuple[bytes, int], ConsumerRecord]:
    """Give the newest label that is believed of each key of other texts; see `text_of_key`."""
    found: dict[tuple[bytes, int], ConsumerRecord] = {}
    if not texts:
        return found
    async with aclosing(read_to_end(kafka, topic)) as records:
        async for record in records:
            place = record.key or b"", record.partition
            if text_of_key(place[0]) not in texts:
                continue
            if record.value is None:
                found.pop(place, None)
                continue
            await codec.resolve([record.value])
            with suppress(DecodeError):
                decode_keyed(codec, SilverLabel, record.key, record.value)
                found[place] = record
    return found


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
