"""doccano's JSONL: a text with `[start, end, label]` under `label`, `labels` or `entities`.

Texts that were classified have their labels there, `"label": ["glad"]`, or under `cats`. Newer
exports have objects with `start_offset` and `end_offset`; older ones keep the text under `data`.
Relations and comments are passed over. Offsets count code points.

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
from schemas.files.corpus.whole_text import chosen, is_chosen, kind_told, names_of

CATS = "cats"
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


def write_categories(examples: Sequence[Example]) -> Iterator[str]:
    """Yield the lines of labels of whole texts."""
    for one in examples:
        value = {"id": one.id, "text": one.text, "label": names_of(one), "meta": one.meta}
        yield json.dumps(value, ensure_ascii=False) + "\n"


def triple(value: Any) -> Span:
    """Read `[start, end, label]`; `ValueError` for what is none."""
    if not isinstance(value, list) or len(value) != 3:  # noqa: PLR2004 - a triple
        raise ValueError("expected [start, end, label]")
    start, end, label = value
    parts = {"start": start, "end": end, "label": label}
    return Span(typed(parts, "start", int), typed(parts, "end", int), label_in(parts))


def _record(value: dict[str, Any], line: int, *, labelled: bool) -> Record:
    names = [name for name in (*NAMES, CATS) if value.get(name) is not None]
    if labelled and not value.keys() & {*NAMES, CATS}:
        raise ValueError("expected spans under 'label', 'labels' or 'entities', or labels")
    whole = [name for name in names if name == CATS or is_chosen(value[name])]
    marked = next((name for name in names if name not in whole), None)
    spans = tuple(map(_span, typed(value, marked, list) if marked else []))
    categories = tuple(one for name in whole for one in chosen(value[name]))
    return Record(
        line=line,
        text=text_of(value, "data" if "text" not in value and "data" in value else "text"),
        spans=spans,
        categories=categories,
        kind=kind_told(spans, categories),
        id=id_of(value),
        meta=meta_of(value),
        left_out="not_annotated" if labelled and not names else "",
    )


def _span(value: Any) -> Span:
    if not isinstance(value, dict):
        return triple(value)
    start, end = typed(value, "start_offset", int), typed(value, "end_offset", int)
    return Span(start, end, label_in(value))
