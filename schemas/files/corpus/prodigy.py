"""Prodigy's JSONL: a text with spans or labels, and the answer that a person gave.

What was rejected or ignored is no label and is left out. Offsets count code points.

Labels of texts as a whole are what a person took of the options (`accept`), or of one label at a
time whether the text has it (`label`, and an answer of accept or reject); of a text that was asked
about several times the accepted labels count together. Rejected alone, it has no label once every
label of the file was asked about, and is left out before.

Source: https://prodi.gy/docs/api-interfaces
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from schemas.files.corpus.example import Example, Record
from schemas.files.corpus.json_records import (
    entry,
    id_of,
    json_records,
    label_in,
    meta_of,
    text_of,
    typed,
)
from schemas.files.corpus.jsonl import span
from schemas.files.corpus.options import Reading
from schemas.files.corpus.source import Source
from schemas.files.corpus.whole_text import chosen, kind_told, names_of
from schemas.types import Category

ANSWERS = {"accept": "", "reject": "rejected", "ignore": "ignored"}


@dataclass(frozen=True, slots=True)
class _Judged:
    """A line; `asked` is the one label that it is about, if it is."""

    record: Record
    asked: str = ""


def read(source: Source, _how: Reading, *, labelled: bool) -> Iterator[Record]:
    """Yield the records; without labels asked for, every text counts."""
    found = []
    for line, value in json_records(source):
        try:
            found.append(_judged(entry(value), line))
        except ValueError as error:
            raise source.error(line, error) from None
    if labelled:
        yield from _together(found)
    else:
        yield from (replace(one.record, left_out="", spans=()) for one in found)


def write(examples: Sequence[Example]) -> Iterator[str]:
    """Yield the lines, as accepted answers."""
    for one in examples:
        spans = [{"start": e.start, "end": e.end, "label": e.label} for e in one.entities]
        value = {"id": one.id, "text": one.text, "spans": spans, "answer": "accept"}
        yield json.dumps(value | {"meta": one.meta}, ensure_ascii=False) + "\n"


def write_categories(examples: Sequence[Example]) -> Iterator[str]:
    """Yield the lines, as options of which some were taken."""
    labels = sorted({name for one in examples for name in names_of(one)})
    options = [{"id": name, "text": name} for name in labels]
    for one in examples:
        value = {"id": one.id, "text": one.text, "options": options, "accept": names_of(one)}
        yield json.dumps(value | {"answer": "accept", "meta": one.meta}, ensure_ascii=False) + "\n"


def is_one(value: dict[str, Any]) -> bool:
    """Whether a record is of this format."""
    spans = isinstance(value.get("spans"), list) and "entities" not in value
    options = isinstance(value.get("options"), list) and isinstance(value.get("accept"), list)
    return value.get("answer") in ANSWERS or spans or options


def _judged(value: dict[str, Any], line: int) -> _Judged:
    answer = "accept" if value.get("answer") is None else value["answer"]
    if not isinstance(answer, str) or answer not in ANSWERS:
        raise ValueError(f"'answer' must be one of {', '.join(ANSWERS)}")
    left_out = ANSWERS[answer]
    given = [] if left_out else value.get("spans") or []
    if not isinstance(given, list):
        raise ValueError("'spans' is not of type list")  # noqa: TRY004 - a bad line
    spans = tuple(map(span, given))
    asked = _asked(value)
    taken = _taken(value, asked) if not left_out else ()
    told = kind_told(spans, taken)
    record = Record(
        line=line,
        text=text_of(value),
        spans=spans,
        categories=taken,
        kind="categories" if asked or "accept" in value else told,
        id=id_of(value),
        meta=meta_of(value),
        left_out=left_out,
    )
    return _Judged(record, asked)


def _asked(value: dict[str, Any]) -> str:
    """Give the one label that the question is about; "" for another question."""
    is_other = value.get("spans") or "accept" in value or value.get("label") is None
    return "" if is_other else label_in(value).strip()


def _taken(value: dict[str, Any], asked: str) -> tuple[Category, ...]:
    if asked:
        return chosen(asked)
    return chosen(typed(value, "accept", list)) if value.get("accept") is not None else ()


def _together(found: Sequence[_Judged]) -> Iterator[Record]:
    """Yield a record a text of those about one label, and the others as they are."""
    asked = {one.asked for one in found if one.asked}
    of_text: dict[str, list[_Judged]] = {}
    for one in found:
        if one.asked and one.record.left_out != "ignored":
            of_text.setdefault(one.record.text, []).append(one)
    for one in found:
        if not one.asked or one.record.left_out == "ignored":
            yield one.record
        elif one is of_text[one.record.text][0]:
            yield _joined(of_text[one.record.text], asked)


def _joined(judged: Sequence[_Judged], asked: set[str]) -> Record:
    categories = tuple(category for one in judged for category in one.record.categories)
    complete = categories or {one.asked for one in judged} == asked
    return replace(judged[0].record, categories=categories, left_out="" if complete else "rejected")
