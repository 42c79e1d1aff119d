"""Avro as a stranger might write it: by our schemas, and without our checks."""

from __future__ import annotations

import io
from typing import Any

import fastavro

from schemas.wire.avro_schemas import latest, schema_fingerprint


def raw_value(kind: type, value: dict[str, Any], schema: Any = None) -> bytes:
    """Write plain values, which need not be sensible, by this or the latest schema."""
    parsed = fastavro.parse_schema(schema) if schema else latest(kind)
    buffer = io.BytesIO()
    buffer.write(b"\xc3\x01" + schema_fingerprint(parsed))
    fastavro.schemaless_writer(buffer, parsed, value)
    return buffer.getvalue()
