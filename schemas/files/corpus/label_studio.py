"""Label Studio's exports: JSON, with tasks and their annotations, and JSON-MIN.

Offsets count UTF-16 units there; the text beside them tells (`schemas.files.corpus.offsets`).
Of several annotations of a task the last that was not cancelled counts.

Source: https://labelstud.io/guide/export
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from schemas._json import require_unicode
from schemas.files.corpus.example import Example, Record, Span
from schemas.files.corpus.json_records import entry, id_of, json_records, meta_of, text_of, typed
from schemas.files.corpus.label_studio_choices import is_choice, of_entry, of_result, only_control
from schemas.files.corpus.options import Reading
from schemas.files.corpus.source import Source
from schemas.types import Category, Entity

_Found = tuple[Record, dict[str, tuple[Category, ...]]]
"""A record, and its choices about the whole text by control."""


def read(source: Source, how: Reading, *, labelled: bool) -> Iterator[Record]:
    """Yield a record a task of the full JSON export."""
    control = how.columns.get("label", "")

    def task(value: dict[str, Any], line: int) -> _Found:
        return _task(value, line, control, labelled=labelled)

    yield from _told(source, task, labelled=labelled)


def read_min(source: Source, how: Reading, *, labelled: bool) -> Iterator[Record]:
    """Yield a record an entry of JSON-MIN, which has one for each annotation of a task."""
    control = how.columns.get("label", "")

    def task(value: dict[str, Any], line: int) -> _Found:
        return _min(value, line), of_entry(value, control) if labelled else {}

    found = _told(source, task, labelled=labelled)
    last = {(one.id, one.text): one for one in found}
    for one in found:
        before = one.id is not None and last[one.id, one.text] is not one
        yield replace(one, left_out="annotation_before_the_last") if before else one


def write(examples: Sequence[Example]) -> Iterator[str]:
    """Yield the full JSON export; each label counts as one annotation."""
    yield _array(
        {"data": _data(one), "meta": one.meta, "annotations": [_annotation(one)]}
        for one in examples
    )


def write_min(examples: Sequence[Example]) -> Iterator[str]:
    """Yield JSON-MIN."""
    yield _array(
        _data(one) | {"label": [_value(one.text, e) for e in one.entities]} for one in examples
    )


def is_labels(value: Any) -> bool:
    """Whether a list holds spans as JSON-MIN writes them."""
    return isinstance(value, list) and any(
        isinstance(one, dict) and "labels" in one and "start" in one for one in value
    )


def _told(
    source: Source, of: Callable[[dict[str, Any], int], _Found], *, labelled: bool
) -> list[Record]:
    """Read all, and tell of which kind they are: choices beside spans are none."""
    found, line = [], 1
    try:
        for line, value in json_records(source):
            found.append(of(entry(value), line))
    except ValueError as error:
        raise source.error(line, error) from None
    records = [record for record, _ in found]
    if not labelled:
        return records
    try:
        return only_control(records, [choices for _, choices in found])
    except ValueError as error:
        raise source.error(records[0].line, error) from None


def _task(task: dict[str, Any], line: int, control: str, *, labelled: bool) -> _Found:
    data = typed(task, "data", dict)
    text = text_of(data, _text_name(data))
    given = task.get("annotations", task.get("completions")) or []
    done = [one for one in given if not entry(one).get("was_cancelled")]
    results = _result(done[-1]) if done else []
    spans, mended, dropped = _spans(results)
    left_out = "" if done or not labelled else ("cancelled" if given else "not_annotated")
    others = len(done) - 1
    record = Record(
        line=line,
        text=text,
        spans=spans,
        id=id_of(data) if isinstance(data.get("id"), str) else id_of(task),
        meta=meta_of(task),
        left_out=left_out,
        mended=mended,
        dropped=(*dropped, *["annotation_before_the_last"] * max(others, 0)),
    )
    return record, of_result(list(map(entry, results)), control)


def _result(annotation: dict[str, Any]) -> list[Any]:
    """Give what was marked; null, which an API may write, is nothing."""
    if annotation.get("result", []) is None:
        return []
    found: list[Any] = typed(annotation, "result", list)
    return found


def _text_name(data: dict[str, Any]) -> str:
    if "text" in data:
        return "text"
    names = [name for name, value in data.items() if isinstance(value, str) and name != "id"]
    if len(names) != 1:
        there = ", ".join(data) or "nothing"
        raise ValueError(f"expected a text under data.text; there is {there}")
    return names[0]


def _spans(results: list[Any]) -> tuple[tuple[Span, ...], tuple[str, ...], tuple[str, ...]]:
    """Give the spans, and the reasons for what was mended and dropped."""
    items = [entry(one) for one in results]
    spans: list[dict[str, Any]] = [
        one["value"]
        for one in items
        if one.get("type") == "labels" and _has_label(one.get("value"))
    ]
    others = sum(not is_choice(one) for one in items) - len(spans)
    dropped = ("not_a_span",) * others
    several = sum(len(value["labels"]) > 1 for value in spans)
    return tuple(map(_span, spans)), ("first_of_several_labels",) * several, dropped


def _has_label(value: Any) -> bool:
    return isinstance(value, dict) and bool(value.get("labels"))


def _span(value: dict[str, Any]) -> Span:
    label = typed(value, "labels", list)[0]
    if not isinstance(label, str):
        raise ValueError("'labels' holds something that is no string")  # noqa: TRY004
    require_unicode(label)
    shown = value.get("text")
    return Span(
        typed(value, "start", int),
        typed(value, "end", int),
        label,
        surface=shown if isinstance(shown, str) else None,
    )


def _min(value: dict[str, Any], line: int) -> Record:
    found = [one for name, one in value.items() if is_labels(one)]
    if len(found) > 1:
        raise ValueError("expected one list of labels; there are several")
    spans = [one for one in (found[0] if found else []) if _has_label(one)]
    several = sum(len(one["labels"]) > 1 for one in spans)
    return Record(
        line=line,
        text=text_of(value),
        spans=tuple(map(_span, spans)),
        id=id_of(value),
        meta=meta_of(value),
        mended=("first_of_several_labels",) * several,
    )


def _data(example: Example) -> dict[str, Any]:
    return {"id": example.id, "text": example.text}


def _annotation(example: Example) -> dict[str, Any]:
    items = [
        {
            "id": f"{example.id}-{number}",
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "value": _value(example.text, entity),
        }
        for number, entity in enumerate(example.entities)
    ]
    return {"result": items, "was_cancelled": False}


def _value(text: str, entity: Entity) -> dict[str, Any]:
    start, end = (len(text[:at].encode("utf-16-le")) // 2 for at in (entity.start, entity.end))
    return {"start": start, "end": end, "text": entity.surface, "labels": [entity.label]}


def _array(values: Iterator[Any]) -> str:
    return json.dumps(list(values), ensure_ascii=False, indent=1) + "\n"
