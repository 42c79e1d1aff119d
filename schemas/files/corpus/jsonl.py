"""JSONL of our own: one object a line.

`{"id", "text", "entities": [{"start", "end", "label"}], "meta", "llm_entities"}`; offsets
count code points, `end` exclusive. `llm_entities` is a recorded answer of an LLM; a `score` in
an entity is its confidence; a `surface` or `text` in it is held against the offsets.
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
from schemas.types import Entity


def read(source: Source, _how: Reading, *, labelled: bool) -> Iterator[Record]:
    """Yield the records; a line may lack `entities` when they are not asked for."""
    for number, value in json_records(source):
        try:
            yield _record(value, number, labelled=labelled)
        except ValueError as error:
            raise source.error(number, error) from None


def write(examples: Sequence[Example]) -> Iterator[str]:
    """Yield the lines."""
    return (
        json.dumps(_to_json(example), ensure_ascii=False, allow_nan=False) + "\n"
        for example in examples
    )


def write_jsonl(path: Path, examples: Sequence[Example]) -> None:
    """Write examples so that `read_corpus` reads equal ones."""
    with Path(path).open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(write(examples))


def _record(value: Any, line: int, *, labelled: bool) -> Record:
    value = entry(value)
    given = {name: found for name, found in value.items() if found is not None}
    text = text_of(value)
    answer = None
    if "llm_entities" in given:
        answer = _spans(typed(value, "llm_entities", list))
    return Record(
        line=line,
        text=text,
        id=id_of(value),
        spans=_spans(typed(given, "entities", list, None if labelled else [])),
        meta=typed(given, "meta", dict, {}),
        llm_spans=answer,
    )


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


def _to_json(example: Example) -> dict[str, Any]:
    value: dict[str, Any] = {
        "id": example.id,
        "text": example.text,
        "entities": [_entity_json(entity) for entity in example.entities],
    }
    if example.llm_entities is not None:
        value["llm_entities"] = [_entity_json(entity) for entity in example.llm_entities]
    return value | {"meta": example.meta}


def _entity_json(entity: Entity) -> dict[str, Any]:
    value: dict[str, Any] = {"start": entity.start, "end": entity.end, "label": entity.label}
    return value if entity.confidence == 1.0 else value | {"score": entity.confidence}
