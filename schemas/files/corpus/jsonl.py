"""JSONL of our own: one object a line.

`{"id", "text", "entities": [{"start", "end", "label"}], "meta", "llm_entities"}`; offsets
count code points, `end` exclusive. `llm_entities` is a recorded answer of an LLM; a `score` in
an entity is its confidence; a `surface` or `text` in it is held against the offsets.

Categories stand under `categories`, else `label` or `labels`, a name or a list of names (or of
`{"label", "score"}`); recorded answers under `llm_categories`. A text has entities or categories.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from schemas.files.corpus.example import Example, Record, Span
from schemas.files.corpus.json_records import entry, id_of, json_records, label_in, text_of, typed
from schemas.files.corpus.options import Reading
from schemas.files.corpus.source import Source
from schemas.files.corpus.whole_text import chosen, is_unlabelled, named, refuse_both
from schemas.files.kind import Kind
from schemas.types import Category, Entity

CATEGORIES = ("categories", "label", "labels")


def read(source: Source, how: Reading, *, labelled: bool) -> Iterator[Record]:
    """Yield the records; a line may lack `entities` when they are not asked for."""
    for number, value in json_records(source):
        try:
            yield _record(named(entry(value), how.columns), number, how, labelled=labelled)
        except ValueError as error:
            raise source.error(number, error) from None


def write(examples: Sequence[Example]) -> Iterator[str]:
    """Yield the lines."""
    return (
        json.dumps(_to_json(example), ensure_ascii=False, allow_nan=False) + "\n"
        for example in examples
    )


def write_categories(examples: Sequence[Example]) -> Iterator[str]:
    """Yield the lines of labels of whole texts, none too."""
    return (
        json.dumps(_to_json(example, whole=True), ensure_ascii=False, allow_nan=False) + "\n"
        for example in examples
    )


def write_jsonl(path: Path, examples: Sequence[Example], kind: Kind | None = None) -> None:
    """Write examples so that `read_corpus` reads equal ones.

    `kind` tells of examples none of which may have a label; else their labels tell.
    """
    told = any(one.categories or one.llm_categories is not None for one in examples)
    whole = told if kind is None else kind == "categories"
    with Path(path).open("w", encoding="utf-8", newline="\n") as file:
        file.writelines((write_categories if whole else write)(examples))


def _record(value: dict[str, Any], line: int, how: Reading, *, labelled: bool) -> Record:
    given = {name: found for name, found in value.items() if found is not None}
    text = text_of(value)
    answer = None
    if "llm_entities" in given:
        answer = _spans(typed(value, "llm_entities", list))
    categories = _categories(given, how) if labelled else None
    if labelled and categories is None and {"categories", "llm_categories"} & value.keys():
        raise ValueError("'categories' is missing")
    needed = labelled and categories is None
    spans = _spans(typed(given, "entities", list, None if needed else []))
    refuse_both(spans, categories or ())
    llm = given.get("llm_categories")
    return Record(
        line=line,
        text=text,
        id=id_of(value),
        spans=spans,
        meta=typed(given, "meta", dict, {}),
        llm_spans=answer,
        kind=_kind(given, spans, categories),
        categories=categories or (),
        left_out="not_annotated" if labelled and _of_nobody(given, how) else "",
        llm_categories=None if llm is None else chosen(llm, how.label_names),
    )


def _categories(given: dict[str, Any], how: Reading) -> tuple[Category, ...] | None:
    """Give the categories; None where the record has none, or says it of its spans."""
    name = _holder(given)
    if name is None:
        return None
    return () if _of_nobody(given, how) else chosen(given[name], how.label_names)


def _of_nobody(given: dict[str, Any], how: Reading) -> bool:
    name = _holder(given)
    return name is not None and is_unlabelled(given[name], how.label_names)


def _holder(given: dict[str, Any]) -> str | None:
    """Name what holds the categories."""
    names = CATEGORIES[:1] if "entities" in given else CATEGORIES
    return next((name for name in names if name in given), None)


def _kind(
    given: dict[str, Any], spans: tuple[Span, ...], categories: tuple[Category, ...] | None
) -> Kind | None:
    if spans or given.get("llm_entities"):
        return "entities"
    if categories or "llm_categories" in given:
        return "categories"
    if categories is not None:
        return None if "entities" in given else "categories"
    return "entities" if "entities" in given else None


def _spans(values: list[Any]) -> tuple[Span, ...]:
    return tuple(map(span, values))


def span(value: Any) -> Span:
    """Read `{"start", "end", "label"}`; `ValueError` for what is none."""
    if not isinstance(value, dict):
        raise ValueError("an entity is not a JSON object")  # noqa: TRY004 - a bad line
    start, end = typed(value, "start", int), typed(value, "end", int)
    label = label_in(value)
    score = 1.0 if value.get("score") is None else typed(value, "score", float)
    if not 0 <= score <= 1:
        raise ValueError("'score' is not in [0, 1]")
    shown = next((x for x in map(value.get, ("surface", "text")) if isinstance(x, str)), None)
    return Span(start, end, label, score, shown)


def _to_json(example: Example, *, whole: bool = False) -> dict[str, Any]:
    value: dict[str, Any] = {"id": example.id, "text": example.text}
    if whole:
        value["categories"] = [_category_json(one) for one in example.categories]
    else:
        value["entities"] = [_entity_json(entity) for entity in example.entities]
    if example.llm_categories is not None:
        value["llm_categories"] = [_category_json(one) for one in example.llm_categories]
    if example.llm_entities is not None:
        value["llm_entities"] = [_entity_json(entity) for entity in example.llm_entities]
    return value | {"meta": example.meta}


def _category_json(category: Category) -> str | dict[str, Any]:
    if category.confidence == 1.0:
        return category.label
    return {"label": category.label, "score": category.confidence}


def _entity_json(entity: Entity) -> dict[str, Any]:
    value: dict[str, Any] = {"start": entity.start, "end": entity.end, "label": entity.label}
    return value if entity.confidence == 1.0 else value | {"score": entity.confidence}
