"""ONNX messages read from their bytes, in the one form in which our exporters write them.

Two readers of one file must not see two models. Protobuf lets a message be written in many ways
(fields in any order, split, repeated where one is meant; lists packed or not; numbers with
needless bytes; numbers that the reader cuts to 32 bits), and readers differ in what they make of
them. So only the canonical form is read here, the one that protobuf's own deterministic
serialisation writes: known fields in ascending order, one value where one is meant, the shortest
number, nothing else. Whoever reads such bytes by the same schema reads the same model.

The tables know the fields that our exporters write and no other. No `onnx` package is needed.

Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto and
https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from schemas.errors import MalformedModelError

Message = dict[str, Any]
"""The fields that are there, by name; what may repeat is a list, and always there."""

_Kind = Literal["int64", "int32", "float", "string", "bytes", "message"]
_VARINT, _LENGTH, _FIXED32 = 0, 2, 5
_WIRE_TYPES: Final[Mapping[_Kind, int]] = {
    "int64": _VARINT,
    "int32": _VARINT,
    "float": _FIXED32,
    "string": _LENGTH,
    "bytes": _LENGTH,
    "message": _LENGTH,
}
_FLOAT_BYTES, _MAX_VARINT_BYTES = 4, 10
_MAX_STRING_BYTES = 300


@dataclass(frozen=True, slots=True)
class _Field:
    """`most` bounds how often it stands there; 1: at most once, and no list."""

    name: str
    kind: _Kind
    most: int = 1
    table: str = ""
    """Of a message: its own table."""


_TABLES: Final[Mapping[str, Mapping[int, _Field]]] = {
    "model": {
        1: _Field("ir_version", "int64"),
        2: _Field("producer_name", "string"),
        7: _Field("graph", "message", table="graph"),
        8: _Field("opset_import", "message", 4, "opset"),
    },
    "opset": {1: _Field("domain", "string"), 2: _Field("version", "int64")},
    "graph": {
        1: _Field("node", "message", 20_000, "node"),
        2: _Field("name", "string"),
        5: _Field("initializer", "message", 20_000, "tensor"),
        11: _Field("input", "message", 8, "value"),
        12: _Field("output", "message", 8, "value"),
    },
    "node": {
        1: _Field("input", "string", 16),
        2: _Field("output", "string", 16),
        3: _Field("name", "string"),
        4: _Field("op_type", "string"),
        5: _Field("attribute", "message", 8, "attribute"),
        6: _Field("doc_string", "string"),
        7: _Field("domain", "string"),
    },
    "attribute": {
        1: _Field("name", "string"),
        2: _Field("f", "float"),
        3: _Field("i", "int64"),
        4: _Field("s", "bytes"),
        8: _Field("ints", "int64", 16),
        20: _Field("type", "int32"),
    },
    "tensor": {
        1: _Field("dims", "int64", 8),
        2: _Field("data_type", "int32"),
        8: _Field("name", "string"),
        9: _Field("raw_data", "bytes"),
    },
    "value": {1: _Field("name", "string"), 2: _Field("type", "message", table="type")},
    "type": {1: _Field("tensor_type", "message", table="tensor_type")},
    "tensor_type": {
        1: _Field("elem_type", "int32"),
        2: _Field("shape", "message", table="shape"),
    },
    "shape": {1: _Field("dim", "message", 8, "dim")},
    "dim": {1: _Field("dim_value", "int64"), 2: _Field("dim_param", "string")},
}

_TOLD: Final[Mapping[tuple[str, int], str]] = {
    ("model", 14): "it holds metadata",
    ("model", 20): "it holds training information",
    ("model", 25): "it defines functions of its own",
    ("graph", 13): "it tells shapes of values within",
    ("graph", 15): "it has sparse weights",
    ("attribute", 5): "it has tensors as attributes",
    ("attribute", 6): "it has control flow",
    ("attribute", 10): "it has tensors as attributes",
    ("attribute", 11): "it has control flow",
    ("attribute", 21): "it refers to attributes of a function",
    ("attribute", 22): "it has sparse weights",
    ("attribute", 23): "it has sparse weights",
    ("tensor", 3): "it keeps a tensor in parts",
    ("tensor", 4): "it lists numbers one by one (float_data)",
    ("tensor", 5): "it lists numbers one by one (int32_data)",
    ("tensor", 7): "it lists numbers one by one (int64_data)",
    ("tensor", 13): "it keeps a tensor outside the file",
    ("tensor", 14): "it keeps a tensor outside the file",
}
"""Of fields that are not read, what the well-known ones say."""


def read_model(data: bytes) -> Message:
    """Read a `ModelProto`; raw data are views into `data`.

    Raises `MalformedModelError` unless the bytes are its canonical form, in known fields alone.
    """
    return _message(memoryview(data), "model")


def _message(data: memoryview, table: str) -> Message:
    fields = _TABLES[table]
    found: Message = {field.name: [] for field in fields.values() if field.most > 1}
    last = 0
    for number, wire_type, value in _pairs(data, table):
        field = fields.get(number)
        if field is None:
            told = _TOLD.get((table, number), f"it has field {number} in a {table}")
            raise MalformedModelError(f"{told}, which our exporters do not write")
        if wire_type != _WIRE_TYPES[field.kind]:
            raise MalformedModelError(f"{table}.{field.name} has the wire type {wire_type}")
        if number < last or (number == last and field.most == 1):
            raise MalformedModelError(f"{table}.{field.name} is out of its order, or repeated")
        last = number
        _keep(found, field, _value(field, value, table), table)
    return found


def _keep(found: Message, field: _Field, value: Any, table: str) -> None:
    if field.most == 1:
        found[field.name] = value
        return
    if len(found[field.name]) >= field.most:
        raise MalformedModelError(f"{table}.{field.name} is there more than {field.most} times")
    found[field.name].append(value)


def _value(field: _Field, value: int | memoryview, table: str) -> Any:
    if isinstance(value, int):
        return _integer(field, value, table)
    if field.kind == "message":
        return _message(value, field.table)
    if field.kind == "float":
        return struct.unpack("<f", value)[0]
    if field.kind == "bytes":
        return value
    return _string(field, value, table)


def _string(field: _Field, value: memoryview, table: str) -> str:
    if len(value) > _MAX_STRING_BYTES:
        raise MalformedModelError(f"{table}.{field.name} is longer than {_MAX_STRING_BYTES} bytes")
    try:
        return str(value, "ascii")
    except UnicodeDecodeError:
        raise MalformedModelError(f"{table}.{field.name} is not plain ASCII") from None


def _integer(field: _Field, value: int, table: str) -> int:
    """Read a signed number; one of 32 bits is never negative here, and never cut."""
    if field.kind == "int32" and value >= 2**31:
        raise MalformedModelError(f"{table}.{field.name} does not fit into 32 bits")
    return value - 2**64 if value >= 2**63 else value


def _pairs(message: memoryview, table: str) -> Iterator[tuple[int, int, int | memoryview]]:
    """Field number, wire type and value of each field of a message."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            value, at = _varint(message, at)
            yield number, wire_type, value
            continue
        if wire_type == _LENGTH:
            size, at = _varint(message, at)
        elif wire_type == _FIXED32:
            size = _FLOAT_BYTES
        else:
            raise MalformedModelError(f"wire type {wire_type} in a {table}")
        if size > len(message) - at:
            raise MalformedModelError("cut off")
        yield number, wire_type, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Read a number of at most 64 bits, in as few bytes as it takes."""
    value = 0
    for index, byte in enumerate(message[at : at + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a varint has its high bit clear
            if (byte == 0 and index) or value >= 2**64:
                raise MalformedModelError("a number is written longer than it is")
            return value, at + index + 1
    raise MalformedModelError("a number has no end")
