"""doccano's JSONL: a text with `[start, end, label]` under `label`, `labels` or `entities`.

Newer exports have objects with `start_offset` and `end_offset`; older ones keep the text
under `data`. Relations and comments are passed over. Offsets count code points.

Source: https://doccano.github.io/doccano/tutorial/
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from schemas.files.corpus.example import Example, Record, Span
from schemas.files.corpus.json_records import (
    entry,
    id_of,
    json_records,
    label_in,
    meta_of,
    text_of,
    typed,
)
from schemas.files.corpus.options import Reading
from schemas.files.corpus.source import Source

NAMES = ("label", "labels", "entities")


def read(source: Source, _how: Reading, *, labelled: bool) -> Iterator[Record]:
    """Yield the records."""
    for line, value in json_records(source):
        try:
            yield _record(entry(value), line, labelled=labelled)
        except ValueError as error:
            raise source.error(line, error) from None


def write(examples: Sequence[Example]) -> Iterator[str]:
    """Yield the lines."""
    for one in examples:
        label = [[e.start, e.end, e.label] for e in one.entities]
        value = {"id": one.id, "text": one.text, "label": label, "meta": one.meta}
        yield json.dumps(value, ensure_ascii=False) + "\n"


def triple(value: Any) -> Span:
    """Read `[start, end, label]`; `ValueError` for what is none."""
    if not isinstance(value, list) or len(value) != 3:  # noqa: PLR2004 - a triple
        raise ValueError("expected [start, end, label]")
    start, end, label = value
    parts = {"start": start, "end": end, "label": label}
    return Span(typed(parts, "start", int), typed(parts, "end", int), label_in(parts))


def _record(value: dict[str, Any], line: int, *, labelled: bool) -> Record:
    name = next((name for name in NAMES if value.get(name) is not None), None)
    unmarked = labelled and name is None
    if unmarked and not value.keys() & set(NAMES):
        raise ValueError("expected spans under 'label', 'labels' or 'entities'")
    given = typed(value, name, list) if name else []
    return Record(
        line=line,
        text=text_of(value, "data" if "text" not in value and "data" in value else "text"),
        spans=tuple(map(_span, given)),
        id=id_of(value),
        meta=meta_of(value),
        left_out="not_annotated" if unmarked else "",
    )


def _span(value: Any) -> Span:
    if not isinstance(value, dict):
        return triple(value)
    start, end = typed(value, "start_offset", int), typed(value, "end_offset", int)
    return Span(start, end, label_in(value))
