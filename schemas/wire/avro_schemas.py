"""The Avro schemas of this package, every past version, and those that a registry sends.

`schemas/wire/avro/<name>/v<n>.avsc` is never changed once released: a change is a new
version, compatible with all before it (`schemas.wire.compatibility`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException, fingerprint, to_parsing_canonical_form

from schemas._json import strict_json
from schemas.errors import DecodeError
from schemas.types import (
    Canary,
    EntityEvent,
    Promise,
    Promotion,
    SilverLabel,
    TeacherAnswer,
    TeacherRequest,
    TeacherSpend,
    TextRecord,
)
from schemas.wire.avro_bytes import Walk, compile_check

FOLDERS: dict[type, str] = {
    TextRecord: "text-record",
    EntityEvent: "entity-event",
    TeacherRequest: "teacher-request",
    SilverLabel: "silver-label",
    Promotion: "promotion",
    Promise: "promise",
    TeacherSpend: "teacher-spend",
    Canary: "canary",
    TeacherAnswer: "teacher-answer",
}
"""The folder in `schemas/wire/avro` of each type that travels."""

_MAX_SCHEMA_CHARS = 1_000_000


@dataclass(frozen=True, slots=True)
class WriterSchema:
    """A schema that bytes were written with: fastavro's parsed form, and the check of its bytes."""

    parsed: Any
    check: Walk


@cache
def versions(kind: type) -> tuple[dict[str, Any], ...]:
    """All versions of a type's schema as JSON objects, oldest first."""
    folder = files("schemas.wire") / "avro" / FOLDERS[kind]
    numbers = sorted(int(file.name[1 : -len(".avsc")]) for file in folder.iterdir())
    return tuple(json.loads((folder / f"v{n}.avsc").read_text("utf-8")) for n in numbers)


@cache
def latest(kind: type) -> Any:
    """Parse the newest version: what this code writes and reads with."""
    return fastavro.parse_schema(versions(kind)[-1])


def schema_fingerprint(schema: Any) -> bytes:
    """CRC-64-AVRO of the parsing canonical form, 8 bytes little-endian, as on the wire."""
    return bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


@cache
def by_fingerprint() -> dict[bytes, WriterSchema]:
    """Every version of every type, by its fingerprint."""
    return {
        schema_fingerprint(schema): _writer(schema) for kind in FOLDERS for schema in versions(kind)
    }


def writer_schema(text: str, *, references: Sequence[str] = ()) -> WriterSchema:
    """Parse a schema from outside; `DecodeError` when it is not one, or its data has no bounds.

    `references` are the schemas whose names it uses, each after those whose names it uses.
    Logical types, defaults and documentation are dropped: the bytes do not depend on them.
    """
    if len(text) + sum(map(len, references)) > _MAX_SCHEMA_CHARS:
        raise DecodeError(f"the writer's schema has more than {_MAX_SCHEMA_CHARS} characters")
    try:
        return _writer(_whole(text, references) if references else strict_json(text))
    except (SchemaParseException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DecodeError(f"the writer's schema is not Avro: {type(error).__name__}") from None
    except RecursionError:
        raise DecodeError("the writer's schema is nested too deeply") from None


def _whole(text: str, references: Sequence[str]) -> Any:
    """Put the referenced definitions where their names are used first."""
    named: dict[str, Any] = {}
    definitions: dict[str, Any] = {}
    for other in references:
        _define(_canonical(other, named), definitions)
    return _inlined(_canonical(text, named), definitions, set())


def _canonical(text: str, named: dict[str, Any]) -> Any:
    parsed = fastavro.parse_schema(strict_json(text), named_schemas=named)
    return json.loads(to_parsing_canonical_form(parsed))


def _define(schema: Any, definitions: dict[str, Any]) -> None:
    """Collect the named types of a schema, whose names are full in the canonical form."""
    if isinstance(schema, dict):
        if "name" in schema:
            definitions[schema["name"]] = schema
        for part in _parts(schema):
            _define(part, definitions)
    elif isinstance(schema, list):
        for part in schema:
            _define(part, definitions)


def _inlined(schema: Any, definitions: Mapping[str, Any], done: set[str]) -> Any:
    if isinstance(schema, str):
        known = schema in definitions and schema not in done
        return _inlined(definitions[schema], definitions, done) if known else schema
    if isinstance(schema, list):
        return [_inlined(part, definitions, done) for part in schema]
    if schema.get("name") in done:
        return schema["name"]
    done.update({schema["name"]} if "name" in schema else ())
    whole = dict(schema)
    for key in _HELD & whole.keys():
        whole[key] = _inlined(whole[key], definitions, done)
    if "fields" in whole:
        whole["fields"] = [
            field | {"type": _inlined(field["type"], definitions, done)}
            for field in whole["fields"]
        ]
    return whole


def _parts(schema: dict[str, Any]) -> list[Any]:
    fields = [field["type"] for field in schema.get("fields", ())]
    return fields + [schema[key] for key in _HELD & schema.keys()]


_HELD = frozenset({"items", "values"})
"""Where an array or a map says what it holds."""


def _writer(schema: Any) -> WriterSchema:
    canonical = json.loads(to_parsing_canonical_form(fastavro.parse_schema(schema)))
    return WriterSchema(fastavro.parse_schema(canonical), compile_check(canonical))
