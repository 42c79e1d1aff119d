"""Whether data of one Avro schema can be read with another, decided without data.

`FULL_TRANSITIVE` holds of a list of versions when every one can read what every other
wrote. Beyond Avro's own rules, each field and each enum must have a default, so that any
of them can later be dropped, or read by those who do not know it yet.

Source: https://avro.apache.org/docs/1.12.0/specification/#schema-resolution
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Any

import fastavro

_PROMOTIONS = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}
_COMPLEX = frozenset({"record", "enum", "fixed", "array", "map"})


def full_transitive_faults(versions: Sequence[Any]) -> list[str]:
    """Why the versions are not FULL_TRANSITIVE, one line for each fault; empty when they are."""
    numbered = list(enumerate(versions, start=1))
    faults = [f"v{n}: {fault}" for n, schema in numbered for fault in missing_defaults(schema)]
    for (w, writer), (r, reader) in permutations(numbered, 2):
        faults += [f"v{r} cannot read v{w}: {fault}" for fault in read_faults(writer, reader)]
    return faults


def read_faults(writer: Any, reader: Any) -> list[str]:
    """Why data written with `writer` cannot be read with `reader`; empty when it can."""
    writer_names: dict[str, Any] = {}
    reader_names: dict[str, Any] = {}
    writer = fastavro.parse_schema(writer, named_schemas=writer_names)
    reader = fastavro.parse_schema(reader, named_schemas=reader_names)
    return list(_Resolution(writer_names, reader_names).faults(writer, reader, at="$"))


def missing_defaults(schema: Any, *, at: str = "$") -> list[str]:
    """Name the fields and enums without a default."""
    faults: list[str] = []
    for part in schema if isinstance(schema, list) else [schema]:
        if isinstance(part, dict):
            faults += _missing_here(part, at)
    return faults


def _missing_here(schema: dict[str, Any], at: str) -> list[str]:
    faults = [] if schema["type"] != "enum" or "default" in schema else [f"{at}: enum, no default"]
    for field in schema.get("fields", []):
        inner = f"{at}.{field['name']}"
        faults += [] if "default" in field else [f"{inner}: no default"]
        faults += missing_defaults(field["type"], at=inner)
    for part in ("items", "values"):
        if part in schema:
            faults += missing_defaults(schema[part], at=f"{at}[]")
    return faults


class _Resolution:
    """Walks two schemas side by side; each keeps its own named types."""

    def __init__(self, writer_names: dict[str, Any], reader_names: dict[str, Any]) -> None:
        self._writer_names = writer_names
        self._reader_names = reader_names
        self._seen: set[tuple[str, str]] = set()

    def faults(self, writer: Any, reader: Any, *, at: str) -> Iterator[str]:
        writer, reader = _look_up(writer, self._writer_names), _look_up(reader, self._reader_names)
        if isinstance(writer, list):
            for branch in writer:
                yield from self.faults(branch, reader, at=at)
        elif isinstance(reader, list):
            if not any(self._fits(writer, branch, at) for branch in reader):
                yield f"{at}: no branch of the union reads {_kind(writer)}"
        elif _kind(writer) == _kind(reader):
            yield from self._same_kind(writer, reader, at)
        elif _kind(reader) not in _PROMOTIONS.get(_kind(writer), ()):
            yield f"{at}: {_kind(writer)} read as {_kind(reader)}"

    def _fits(self, writer: Any, reader: Any, at: str) -> bool:
        return not list(self.faults(writer, reader, at=at))

    def _same_kind(self, writer: Any, reader: Any, at: str) -> Iterator[str]:
        kind = _kind(writer)
        if kind in {"array", "map"}:
            part = "items" if kind == "array" else "values"
            yield from self.faults(writer[part], reader[part], at=f"{at}[]")
        elif kind in _COMPLEX and not _same_name(writer, reader):
            yield f"{at}: {writer['name']} read as {reader['name']}"
        elif kind == "enum":
            yield from _enum_faults(writer, reader, at)
        elif kind == "fixed" and writer["size"] != reader["size"]:
            yield f"{at}: the size differs"
        elif kind == "record":
            yield from self._records(writer, reader, at)

    def _records(self, writer: Any, reader: Any, at: str) -> Iterator[str]:
        pair = writer["name"], reader["name"]
        if pair in self._seen:  # a recursive type is being compared already
            return
        self._seen.add(pair)
        written = {field["name"]: field for field in writer["fields"]}
        for field in reader["fields"]:
            yield from self._field(written, field, f"{at}.{field['name']}")
        self._seen.discard(pair)

    def _field(self, written: dict[str, Any], field: dict[str, Any], at: str) -> Iterator[str]:
        names = [field["name"], *field.get("aliases", [])]
        source = next((written[name] for name in names if name in written), None)
        if source is not None:
            yield from self.faults(source["type"], field["type"], at=at)
        elif "default" not in field:
            yield f"{at}: the writer has no such field, and the reader no default"


def _look_up(schema: Any, names: dict[str, Any]) -> Any:
    if isinstance(schema, dict) and schema["type"] not in _COMPLEX:
        return _look_up(schema["type"], names)
    return names.get(schema, schema) if isinstance(schema, str) else schema


def _kind(schema: Any) -> str:
    return str(schema["type"] if isinstance(schema, dict) else schema)


def _same_name(writer: dict[str, Any], reader: dict[str, Any]) -> bool:
    accepted = {reader["name"], *reader.get("aliases", [])}
    return writer["name"].split(".")[-1] in {name.split(".")[-1] for name in accepted}


def _enum_faults(writer: dict[str, Any], reader: dict[str, Any], at: str) -> Iterator[str]:
    unknown = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
    if unknown and "default" not in reader:
        yield f"{at}: the reader does not know {unknown[0]}, and has no default"
