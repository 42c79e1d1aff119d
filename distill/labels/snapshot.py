"""Snapshots: what the silver-labels topic said at one moment, as an immutable Parquet file.

One row per text, the newest label of each key, sorted by text digest. The file is named after
the digest of its *rows*, so the same labels give the same file whatever the order
or the compaction of the topic, and a round can be repeated from its lineage alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import GateError
from schemas.files.whole_files import whole_file
from schemas.types import Category, Entity, Opinion, SilverLabel, text_digest

_ENTITY = pa.struct(
    [
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("label", pa.string()),
        ("surface", pa.string()),
        ("confidence", pa.float64()),
    ]
)
_FACT = pa.struct([("start", pa.int64()), ("end", pa.int64()), ("label", pa.string())])
_OPINION = pa.struct(
    [
        ("teacher", pa.string()),
        ("model", pa.string()),
        ("facts", pa.list_(_FACT)),
        ("confidence", pa.float64()),
        ("refused", pa.bool_()),
    ]
)
_CATEGORY = pa.struct([("label", pa.string()), ("confidence", pa.float64())])
SCHEMA = pa.schema(
    [
        ("task", pa.string()),
        ("task_digest", pa.string()),
        ("text", pa.string()),
        ("entities", pa.list_(_ENTITY)),
        ("source", pa.string()),
        ("audit", pa.bool_()),
        ("teacher_model", pa.string()),
        ("prompt_version", pa.string()),
        ("student_version", pa.string()),
        ("record_id", pa.string()),
        ("weight", pa.float64()),
        ("labelled_at_ms", pa.int64()),
        ("tokens_in", pa.int64()),
        ("tokens_out", pa.int64()),
        ("categories", pa.list_(_CATEGORY)),
        ("producer", pa.string()),
        ("asked", pa.string()),
        ("teacher", pa.string()),
        ("opinions", pa.list_(_OPINION)),
    ]
)
"""The columns: the fields of `SilverLabel`."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A written snapshot: its file, the digest of its rows, and the labels."""

    path: Path
    digest: str
    labels: tuple[SilverLabel, ...]


def write_snapshot(labels: Iterable[SilverLabel], folder: Path) -> Snapshot:
    """Write the labels to `<folder>/labels-<digest>.parquet`; of one text the last counts.

    A snapshot that is already there is read and left alone. Raises `GateError` when what
    is there does not hold the rows that its name says, and `DiskError`.
    """
    rows = dict(sorted({text_digest(label.text): label for label in labels}.items()))
    wanted = tuple(rows.values())
    digest = rows_digest(wanted)
    path = Path(folder) / f"labels-{digest[:16]}.parquet"
    if not path.exists():
        _write(wanted, path)
    return read_snapshot(path, digest=digest)


def read_snapshot(path: Path, *, digest: str) -> Snapshot:
    """Read a snapshot back; `GateError` when its rows do not have the digest."""
    try:
        rows = pq.read_table(path, schema=SCHEMA).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise GateError(f"cannot read the snapshot {path}: {error}") from None
    labels = tuple(map(_label, rows))
    if rows_digest(labels) != digest:
        raise GateError(f"the snapshot {path} was changed after it was written: remove it")
    return Snapshot(path=path, digest=digest, labels=labels)


def labels_in(data: bytes) -> list[SilverLabel]:
    """Read the labels of a snapshot's file, as it is; `GateError` when it is none."""
    return [_label(row) for row in _table(data).to_pylist()]


def label_in(data: bytes, digest: str) -> SilverLabel | None:
    """Find the label of the text with this digest in a snapshot's file; raises as `labels_in`."""
    table = _table(data)
    texts = table.column("text").to_pylist()
    found = (number for number, text in enumerate(texts) if text_digest(text) == digest)
    number = next(found, None)
    return None if number is None else _label(table.slice(number, 1).to_pylist()[0])


def rows_digest(labels: Iterable[SilverLabel]) -> str:
    """SHA-256 of the labels as canonical JSON lines, in their order."""
    digest = hashlib.sha256()
    for label in labels:
        row = asdict(label)
        for name in ("categories", "producer", "asked", "teacher", "opinions"):  # as 0.1.0 did
            if not row[name]:
                del row[name]
        line = json.dumps(row, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def _table(data: bytes) -> pa.Table:
    try:
        # Without threads: a command that has looked ends at once, and Arrow's must not outlive it.
        return pq.read_table(
            pa.BufferReader(data), schema=SCHEMA, use_threads=False, pre_buffer=False
        )
    except (OSError, pa.ArrowInvalid) as error:
        raise GateError(f"cannot read the snapshot: {error}") from None


def _write(labels: tuple[SilverLabel, ...], path: Path) -> None:
    table = pa.Table.from_pylist([_row(label) for label in labels], schema=SCHEMA)
    with whole_file(path) as file:
        pq.write_table(table, file, compression="zstd")


def _row(label: SilverLabel) -> dict[str, Any]:
    row = asdict(label)
    for opinion in row["opinions"]:
        opinion["facts"] = [{"start": a, "end": b, "label": x} for a, b, x in opinion["facts"]]
    return row


def _label(row: dict[str, Any]) -> SilverLabel:
    entities = tuple(Entity(**entity) for entity in row.pop("entities"))
    # Snapshots of earlier versions lack the last columns.
    categories = tuple(Category(**category) for category in row.pop("categories") or ())
    opinions = tuple(map(_opinion, row.pop("opinions") or ()))
    row |= {name: row[name] or "" for name in ("producer", "asked", "teacher")}
    return SilverLabel(**row, entities=entities, categories=categories, opinions=opinions)


def _opinion(row: dict[str, Any]) -> Opinion:
    said = tuple((fact["start"], fact["end"], fact["label"]) for fact in row.pop("facts"))
    return Opinion(**row, facts=said)
