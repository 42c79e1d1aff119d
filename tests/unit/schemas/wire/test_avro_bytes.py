from __future__ import annotations

import io
import math
import struct
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import DecodeError
from schemas.wire.avro_bytes import MAX_DEPTH, compile_check, read_long

VARINT_2_40 = b"\x80\x80\x80\x80\x80\x40"  # zig-zag of 2^40


def _record(*fields: Any, name: str = "R") -> dict[str, Any]:
    named = [{"name": f"f{i}", "type": kind} for i, kind in enumerate(fields)]
    return {"type": "record", "name": name, "fields": named}


ENUM = {"type": "enum", "name": "E", "symbols": ["a", "b"]}
ARRAY = {"type": "array", "items": "long"}
MAP = {"type": "map", "values": ["null", "double"]}
FIXED = {"type": "fixed", "name": "F", "size": 3}
EVERYTHING = _record(
    *("null", "boolean", "int", "long", "float", "double", "bytes", "string"),
    *(ENUM, ARRAY, MAP, FIXED, ["null", "string", "E"]),
    {"type": "array", "items": _record("string", "F", name="Inner")},
)


def _ends(schema: Any, data: bytes) -> int:
    return compile_check(schema)(data, 0)


@given(st.integers(-(2**63), 2**63 - 1))
def test_longs_are_read_as_fastavro_writes_them(value: int) -> None:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, "long", value)
    assert read_long(buffer.getvalue(), 0) == (value, len(buffer.getvalue()))


@given(
    st.fixed_dictionaries(
        {
            "f0": st.none(),
            "f1": st.booleans(),
            "f2": st.integers(-(2**31), 2**31 - 1),
            "f3": st.integers(-(2**63), 2**63 - 1),
            "f4": st.floats(width=32),
            "f5": st.floats(),
            "f6": st.binary(max_size=100),
            "f7": st.text(st.characters(exclude_categories=["Cs"]), max_size=100),
            "f8": st.sampled_from("ab"),
            "f9": st.lists(st.integers(-5, 5), max_size=5),
            "f10": st.dictionaries(st.text("abc"), st.none() | st.floats(), max_size=3),
            "f11": st.binary(min_size=3, max_size=3),
            "f12": st.none() | st.text("xy"),
            "f13": st.lists(st.builds(lambda x: {"f0": x, "f1": b"abc"}, st.text("xy"))),
        }
    ),
    st.binary(max_size=3),
)
def test_what_fastavro_writes_passes_and_ends_where_it_ends(
    value: dict[str, Any], more: bytes
) -> None:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(EVERYTHING), value)
    data = buffer.getvalue()
    assert _ends(EVERYTHING, data + more) == len(data)


@given(st.binary(max_size=200))
def test_random_bytes_pass_or_are_refused_and_what_passes_fastavro_can_read(data: bytes) -> None:
    try:
        end = _ends(EVERYTHING, data)
    except DecodeError:
        return
    buffer = io.BytesIO(data)
    try:
        fastavro.schemaless_reader(buffer, fastavro.parse_schema(EVERYTHING), None)
    except UnicodeDecodeError:
        return
    assert buffer.tell() == end


@pytest.mark.parametrize(
    ("schema", "data"),
    [
        ("long", b""),
        ("long", b"\x80"),
        ("long", b"\xff" * 20 + b"\x01"),
        ("long", b"\xff" * 9 + b"\x02"),
        ("int", b"\x80\x80\x80\x80\x10"),
        ("boolean", b"\x07"),
        ("boolean", b""),
        ("float", b"abc"),
        ("double", b"abcdefg"),
        ("bytes", b"\x01"),
        ("bytes", b"\x04a"),
        ("bytes", VARINT_2_40),
        ("string", b"\xff" * 9 + b"\x01"),
        (["null", "string"], b"\x01"),
        (["null", "string"], b"\x04"),
        (["null", "string"], b""),
        (ENUM, b"\x01"),
        (ENUM, b"\x04"),
        (FIXED, b"ab"),
        (ARRAY, b"\x02\x02"),
        (ARRAY, VARINT_2_40 + b"\x02\x02\x00"),
        (ARRAY, b"\xff" * 9 + b"\x01" + b"\x02\x02\x00"),
        (ARRAY, b"\x03\x02\x02\x02\x00"),
        (ARRAY, b"\x01\x01\x02\x00"),
        (MAP, b"\x02\x02a\x04\x00"),
        (MAP, b"\x02\x01a\x00\x00"),
        (_record("long", "long"), b"\x02"),
    ],
    ids=repr,
)
def test_what_the_specification_forbids_is_refused(schema: Any, data: bytes) -> None:
    with pytest.raises(DecodeError):
        _ends(schema, data)


@pytest.mark.parametrize(
    ("schema", "data"),
    [
        ("int", b"\xff\xff\xff\xff\x0f"),
        ("long", b"\xff" * 9 + b"\x01"),
        ("double", struct.pack("<d", math.nan)),
        (ARRAY, b"\x02\x02\x02\x04\x00"),
        (ARRAY, b"\x03\x04\x02\x04\x00"),
        (MAP, b"\x03\x0c\x02a\x00\x02b\x00\x00"),
    ],
    ids=repr,
)
def test_what_other_writers_may_send_passes(schema: Any, data: bytes) -> None:
    assert _ends(schema, data) == len(data)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": "null"},
        {"type": "array", "items": _record()},
        {"type": "array", "items": _record("null", "null")},
        {"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}},
        _record(["null", "R"]),
        _record({"type": "array", "items": "R"}),
        _record(_record({"type": "map", "values": "R"}, name="S")),
        _record("S", _record(name="S")),
        _record(*["null"] * 1000),
    ],
    ids=repr,
)
def test_schemas_whose_data_has_no_bounds_are_refused(schema: Any) -> None:
    with pytest.raises(DecodeError):
        compile_check(schema)


def test_records_that_multiply_nothings_are_refused() -> None:
    schema: Any = _record("null", name="L0")
    for level in range(1, 10):
        schema = _record(schema, *[f"L{level - 1}"] * 9, name=f"L{level}")
    with pytest.raises(DecodeError, match="no bytes"):
        compile_check(schema)


@pytest.mark.parametrize("wrap", [lambda x: {"type": "array", "items": x}, lambda x: {"type": x}])
def test_schemas_nested_too_deeply_are_refused(wrap: Any) -> None:
    schema: Any = "long"
    for _ in range(MAX_DEPTH - 1):
        schema = wrap(schema)
    compile_check(schema)
    with pytest.raises(DecodeError, match="deep"):
        compile_check(wrap(schema))


def test_a_union_with_null_may_be_the_item_of_an_array() -> None:
    assert _ends({"type": "array", "items": ["null", "long"]}, b"\x04\x00\x02\x02\x00") == 5
