"""Of which kind a file's labels are: spans, or categories of whole texts; one kind a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from schemas.files.corpus.example import Record
from schemas.files.corpus.source import Source
from schemas.files.kind import Kind


def kind_of(source: Source, records: Sequence[Record]) -> Kind:
    """Tell the kind, entities where nothing tells; `ConfigError` for a file that has both."""
    first = next((one for one in records if one.kind is not None), None)
    if first is None or first.kind is None:
        return "entities"
    other = next((one for one in records if one.kind not in {None, first.kind}), None)
    if other is not None:
        raise source.error(
            other.line,
            f"{other.kind}, but line {first.line} has {first.kind}: a file holds one of the two",
        )
    return first.kind


def only_texts(record: Record) -> Record:
    """Forget the labels, where texts alone are wanted."""
    return replace(record, spans=(), categories=(), kind=None)
