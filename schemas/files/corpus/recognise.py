"""Which format a file has: by what stands in it; its name only breaks a tie."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

from schemas.errors import ConfigError
from schemas.files.corpus import (
    conll,
    doccano,
    hf,
    label_studio_choices,
    prodigy,
    spacy,
    tables,
)
from schemas.files.corpus.json_records import json_records
from schemas.files.corpus.label_studio import is_labels
from schemas.files.corpus.options import FORMATS, Format
from schemas.files.corpus.source import Source
from schemas.files.corpus.whole_text import is_chosen, named

CONLL_SUFFIXES = frozenset({".conll", ".bio", ".iob", ".txt"})
_JSON_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})
_LOOKED_AT = 50
NO_COLUMNS: Mapping[str, str] = {}


def recognise(source: Source, *, labelled: bool, columns: Mapping[str, str] = NO_COLUMNS) -> Format:
    """Tell the format; `ConfigError` for what is none of them.

    Lines that are nothing else are plain text where labels are not asked for.
    """
    suffix = source.path.suffix.lower()
    lines = [line for _, line in islice(source.filled(), _LOOKED_AT)]
    if lines and lines[0].lstrip()[:1] in tuple("[{") and (found := _of_json(source, columns)):
        return found
    if suffix in _JSON_SUFFIXES:
        return "jsonl"
    if suffix != ".txt" and lines and (delimiter := _delimiter(lines[0], columns)):
        return "tsv" if delimiter == "\t" else "csv"
    if conll.looks_like(lines) or (suffix in CONLL_SUFFIXES and (labelled or suffix != ".txt")):
        return "conll"
    if suffix in {".csv", ".tsv"}:
        return "tsv" if suffix == ".tsv" else "csv"
    if not labelled:
        return "text"
    raise source.error(
        next(source.filled())[0],
        f"no format that is known: expected JSON, or columns with a tag such as B-PER behind each "
        f"word, or a header text,start,end,label; --format names one of {', '.join(FORMATS)}",
    )


def _delimiter(header: str, columns: Mapping[str, str]) -> str | None:
    return tables.delimiter_of(header, columns.get("text", "text"))


def _of_json(source: Source, columns: Mapping[str, str]) -> Format | None:
    """Tell the format of JSON, by the first record that is of one format only."""
    values: list[Any] = []
    with suppress(ConfigError):  # the reader names the line that is broken
        for _, given in json_records(source):
            value = named(given, columns) if isinstance(given, dict) else given
            if found := _shape(value):
                return found
            values.append(value)
    return _of_empty(values)


def _of_empty(values: list[Any]) -> Format | None:
    """Tell the format of records none of which has a span."""
    objects = [value for value in values if isinstance(value, dict)]
    if not objects:
        return None
    named = any(isinstance(one.get(name), list) for one in objects for name in ("label", "labels"))
    return "doccano" if named else "jsonl"


def _shape(value: Any) -> Format | None:
    if spacy.is_pair(value):
        return "spacy"
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("data"), dict):
        return "label-studio"
    if prodigy.is_one(value):
        return "prodigy"
    if isinstance(value.get("tokens"), list) and any(value.get(name) for name in hf.TAGS):
        return "hf"
    return _spans_of(value) or _categories_of(value)


def _categories_of(value: dict[str, Any]) -> Format | None:
    if label_studio_choices.is_min(value):
        return "label-studio-min"
    if isinstance(value.get("categories"), list | str):
        return "jsonl"
    if is_chosen(value.get("label")) or is_chosen(value.get("labels")):
        return "jsonl"
    return None


def _spans_of(value: dict[str, Any]) -> Format | None:
    entities = value.get("entities")
    if isinstance(entities, list) and any(isinstance(x, dict) and "start" in x for x in entities):
        return "jsonl"
    for name in doccano.NAMES:
        given = value.get(name)
        if isinstance(given, list) and any(map(_is_doccano, given)):
            return "doccano"
    if any(map(is_labels, value.values())):
        return "label-studio-min"
    return "jsonl" if entities and isinstance(entities, list) else None


def _is_doccano(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, dict) and "start_offset" in value)
