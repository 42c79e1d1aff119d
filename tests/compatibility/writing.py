"""What version 0.1.0 wrote on topics, byte for byte."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import fastavro

from schemas.wire.avro_schemas import schema_fingerprint, versions
from schemas.wire.avro_values import TO_FIELDS
from schemas.wire.codec import Codec

_SINGLE = b"\xc3\x01"


def written_by_0_1_0(value: Any) -> bytes:
    """Encode by the first version of the value's schema."""
    kind: Any = type(value)
    first = versions(kind)[0]
    known = {field["name"] for field in first["fields"]}
    fields = {name: x for name, x in TO_FIELDS[kind](value).items() if name in known}
    buffer = BytesIO()
    buffer.write(_SINGLE + schema_fingerprint(first))
    fastavro.schemaless_writer(buffer, first, fields)
    return buffer.getvalue()


class CodecOf010(Codec):
    """Reads all, and writes as 0.1.0 did."""

    def encode(self, value: Any, topic: str) -> bytes:
        """Encode by the first version of the value's schema."""
        return written_by_0_1_0(value)
