"""Snapshots: what the silver-labels topic said at one moment, as an immutable Parquet file.

One row per text, the newest label of each key, sorted by text digest. The file is named after
the digest of its *rows*, so the same labels give the same file whatever the order
or the compaction of the topic, and a round can be repeated from its lineage alone. It is written,
read and checked in pieces: labels of any number take the memory of their table and no more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from distill.labels.table import LabelTable
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


_PIECE = 16_384
"""Rows of a row group, which are objects at once."""
_LATER = frozenset({"categories", "producer", "asked", "teacher", "opinions"})
"""Columns that older snapshots do not have; in the digests where they say something."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A written snapshot: its file, the digest of its rows, and the labels."""

    path: Path
    digest: str
    labels: LabelTable


def write_snapshot(labels: Iterable[SilverLabel], folder: Path) -> Snapshot:
    """Write the labels to `<folder>/labels-<digest>.parquet`; of one text the last counts.

    A snapshot that is already there is read and left alone. Raises `GateError` when what
    is there does not hold the rows that its name says, and `DiskError`.
    """
    rows = LabelTable.of(labels).by_digest()
    digest = rows_digest(rows)
    path = Path(folder) / f"labels-{digest[:16]}.parquet"
    if not path.exists():
        _write(rows, path)
    _require(rows_digest(_labels(path, path)), digest, path)
    return Snapshot(path=path, digest=digest, labels=rows)


def read_snapshot(path: Path, *, digest: str) -> Snapshot:
    """Read a snapshot back; `GateError` when its rows do not have the digest."""
    labels = LabelTable.of(_labels(path, path))
    _require(rows_digest(labels), digest, path)
    return Snapshot(path=path, digest=digest, labels=labels)


def labels_in(data: bytes) -> LabelTable:
    """Read the labels of a snapshot's file, as it is; `GateError` when it is none."""
    return LabelTable.of(_labels(pa.BufferReader(data)))


def label_in(data: bytes, digest: str) -> SilverLabel | None:
    """Find the label of the text with this digest in a snapshot's file; raises as `labels_in`."""
    for rows in _pieces(pa.BufferReader(data)):
        texts = rows.column("text").to_pylist()
        number = next((i for i, text in enumerate(texts) if text_digest(text) == digest), None)
        if number is not None:
            return next(_labels_of(rows.slice(number, 1)))
    return None


def rows_digest(labels: Iterable[SilverLabel]) -> str:
    """SHA-256 of the labels as canonical JSON lines, in their order."""
    digest = hashlib.sha256()
    for label in labels:
        digest.update(_ENCODER.encode(_row(label)).encode() + b"\n")
    return digest.hexdigest()


_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _row(label: SilverLabel) -> dict[str, Any]:
    row = {name: getattr(label, name) for name in SCHEMA.names}
    row["entities"] = [{name: getattr(x, name) for name in _ENTITY.names} for x in label.entities]
    row["categories"] = [
        {name: getattr(x, name) for name in _CATEGORY.names} for x in label.categories
    ]
    row["opinions"] = [_opinion_row(opinion) for opinion in label.opinions]
    for name in _LATER:  # as version 0.1.0 made the digests
        if not row[name]:
            del row[name]
    return row


def _opinion_row(opinion: Opinion) -> dict[str, Any]:
    facts = [{"start": start, "end": end, "label": label} for start, end, label in opinion.facts]
    return {name: getattr(opinion, name) for name in _OPINION.names} | {"facts": facts}


def _require(found: str, digest: str, path: Path) -> None:
    if found != digest:
        raise GateError(f"the snapshot {path} was changed after it was written: remove it")


def _write(labels: LabelTable, path: Path) -> None:
    with whole_file(path) as file, pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        for start in range(0, max(len(labels), 1), _PIECE):
            rows = [_row(label) for label in labels[start : start + _PIECE]]
            writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))


def _pieces(source: Path | pa.BufferReader, path: Path | None = None) -> Iterator[pa.RecordBatch]:
    """Read a file piece by piece; `GateError` when it is no snapshot."""
    try:
        # Without threads: a command that has looked ends at once, and Arrow's must not outlive it.
        with pq.ParquetFile(source, pre_buffer=False) as file:
            _require_columns(file.schema_arrow.names)
            columns = [name for name in file.schema_arrow.names if name in SCHEMA.names]
            yield from file.iter_batches(_PIECE, columns=columns, use_threads=False)
    except (OSError, pa.ArrowInvalid) as error:
        named = f"the snapshot {path}" if path else "the snapshot"
        raise GateError(f"cannot read {named}: {error}") from None


def _require_columns(names: Sequence[str]) -> None:
    if missing := {*SCHEMA.names} - {*names} - _LATER:
        raise pa.ArrowInvalid(f"it has no column {min(missing)}")


def _labels(source: Path | pa.BufferReader, path: Path | None = None) -> Iterator[SilverLabel]:
    for rows in _pieces(source, path):
        yield from _labels_of(rows)


def _labels_of(rows: pa.RecordBatch) -> Iterator[SilverLabel]:
    said = {name: rows.column(name).to_pylist() for name in rows.schema.names}
    for values in zip(*said.values(), strict=True):
        row = dict(zip(said, values, strict=True))
        entities = tuple(Entity(**entity) for entity in row.pop("entities"))
        categories = tuple(Category(**category) for category in row.pop("categories", None) or ())
        opinions = tuple(_opinion(**opinion) for opinion in row.pop("opinions", None) or ())
        later = {name: row.pop(name, None) or "" for name in ("producer", "asked", "teacher")}
        yield SilverLabel(
            **row | later, entities=entities, categories=categories, opinions=opinions
        )


def _opinion(facts: Sequence[dict[str, Any]], **said: Any) -> Opinion:
    return Opinion(
        **said, facts=tuple((fact["start"], fact["end"], fact["label"]) for fact in facts)
    )
