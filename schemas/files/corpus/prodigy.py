"""Prodigy's JSONL: a text with spans, and the answer that a person gave.

What was rejected or ignored is no label and is left out. Offsets count code points.

Source: https://prodi.gy/docs/api-interfaces#ner_manual
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from schemas.files.corpus.example import Example, Record
from schemas.files.corpus.json_records import entry, id_of, json_records, meta_of, text_of
from schemas.files.corpus.jsonl import span
from schemas.files.corpus.options import Reading
from schemas.files.corpus.source import Source

ANSWERS = {"accept": "", "reject": "rejected", "ignore": "ignored"}


def read(source: Source, _how: Reading, *, labelled: bool) -> Iterator[Record]:
    """Yield the records; without labels asked for, every text counts."""
    for line, value in json_records(source):
        try:
            record = _record(entry(value), line)
        except ValueError as error:
            raise source.error(line, error) from None
        yield record if labelled else replace(record, left_out="", spans=())


def write(examples: Sequence[Example]) -> Iterator[str]:
    """Yield the lines, as accepted answers."""
    for one in examples:
        spans = [{"start": e.start, "end": e.end, "label": e.label} for e in one.entities]
        value = {"id": one.id, "text": one.text, "spans": spans, "answer": "accept"}
        yield json.dumps(value | {"meta": one.meta}, ensure_ascii=False) + "\n"


def _record(value: dict[str, Any], line: int) -> Record:
    answer = "accept" if value.get("answer") is None else value["answer"]
    if not isinstance(answer, str) or answer not in ANSWERS:
        raise ValueError(f"'answer' must be one of {', '.join(ANSWERS)}")
    left_out = ANSWERS[answer]
    given = [] if left_out else value.get("spans") or []
    if not isinstance(given, list):
        raise ValueError("'spans' is not of type list")  # noqa: TRY004 - a bad line
    return Record(
        line=line,
        text=text_of(value),
        spans=tuple(map(span, given)),
        id=id_of(value),
        meta=meta_of(value),
        left_out=left_out,
    )
