from __future__ import annotations

import io
import json
from dataclasses import fields
from typing import Any

import fastavro
import pytest

from schemas.errors import DecodeError
from schemas.wire.avro_schemas import FOLDERS, latest, schema_fingerprint, versions, writer_schema
from schemas.wire.codec import Codec
from schemas.wire.compatibility import full_transitive_faults

KINDS = list(FOLDERS)

_POLYNOMIAL = 0xC15D213AA4D7A795


def _rabin(data: bytes) -> int:
    """CRC-64-AVRO, bit by bit, as the specification defines it."""
    crc = _POLYNOMIAL
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_POLYNOMIAL if crc & 1 else 0)
    return crc


def test_a_version_that_is_on_topics_never_changes() -> None:
    # Mended in place, a schema would leave the records written with it unreadable: add a version.
    assert {
        (folder, number): schema_fingerprint(schema).hex()
        for kind, folder in FOLDERS.items()
        for number, schema in enumerate(versions(kind), start=1)
    } == {
        ("text-record", 1): "2d5748c903607c2d",
        ("entity-event", 1): "ac7d2088ef575765",
        ("teacher-request", 1): "b5f0536c20cb5ac6",
        ("silver-label", 1): "212436b27d72b435",
        ("promotion", 1): "b676cf4d2a6e8532",
        ("entity-event", 2): "3d047dd14c2e6987",
        ("teacher-request", 2): "f20eb971190e7444",
        ("silver-label", 2): "ede71ad5f68f8a92",
        ("entity-event", 3): "21f1f1f7fe0c39c4",
        ("silver-label", 3): "09333947a2935e39",
        ("promotion", 2): "50db5372d1c5048e",
        ("promotion", 3): "2a00ed2f44b0f345",
        ("promotion", 4): "c758d0fbac4170e5",
        ("silver-label", 4): "375928be03581121",
        ("silver-label", 5): "7c70b046d25a824b",
        ("teacher-request", 3): "0208d5c8b730e810",
        ("silver-label", 6): "4d684b7478fad472",
        ("promise", 1): "353b37c2eed82274",
        ("teacher-spend", 1): "4d77bfb688c067f0",
        ("canary", 1): "a4900fbf627fc197",
        ("teacher-answer", 1): "888ee49339d19da3",
    }


def test_the_fingerprint_is_the_specifications() -> None:
    # https://avro.apache.org/docs/1.12.0/specification/ and Java's TestSchemaNormalization
    assert schema_fingerprint("null") == 0x63DD24E7CC258F8A.to_bytes(8, "little")
    assert schema_fingerprint("int") == _rabin(b'"int"').to_bytes(8, "little")


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_has_the_fields_of_its_schema_in_its_order(kind: type) -> None:
    assert [field.name for field in fields(kind)] == [
        field["name"] for field in versions(kind)[-1]["fields"]
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_all_versions_are_compatible_both_ways(kind: type) -> None:
    assert full_transitive_faults(versions(kind)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_says_what_it_means(kind: type) -> None:
    schema = versions(kind)[-1]
    assert schema["doc"]
    assert all(field["doc"] for field in schema["fields"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_defaults_are_valid_and_make_a_value(kind: type) -> None:
    empty = {"type": "record", "name": kind.__name__, "fields": []}
    plain = fastavro.schemaless_reader(io.BytesIO(b""), fastavro.parse_schema(empty), latest(kind))
    buffer = io.BytesIO()
    buffer.write(b"\xc3\x01" + schema_fingerprint(versions(kind)[-1]))
    fastavro.schemaless_writer(buffer, latest(kind), plain)
    assert isinstance(Codec().decode(kind, buffer.getvalue()), kind)


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_types_share_a_fingerprint(kind: type) -> None:
    own = schema_fingerprint(versions(kind)[-1])
    others = [schema_fingerprint(versions(other)[-1]) for other in KINDS if other is not kind]
    assert own not in others


def test_logical_types_of_foreign_schemas_are_dropped() -> None:
    when: dict[str, Any] = {"type": "long", "logicalType": "timestamp-millis"}
    schema = {"type": "record", "name": "R", "fields": [{"name": "at", "type": when}]}
    parsed = writer_schema(json.dumps(schema)).parsed
    assert fastavro.schemaless_reader(io.BytesIO(b"\x02"), parsed, None) == {"at": 1}


def test_a_schema_that_is_none_is_refused() -> None:
    with pytest.raises(DecodeError, match="not Avro"):
        writer_schema("{")
