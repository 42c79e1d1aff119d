"""What may be in a model file, read from its bytes without the `onnx` package.

ONNX Runtime would follow a tensor's external data to files outside the bundle and
run any registered operator, so a model is walked before it is loaded: no external data in
any tensor, sparse ones included, no operators outside the allowed domains, no control
flow (its loops need not end), no local functions. The walk knows only the few fields
that can hold these; everything else is skipped by its length. NaN weights are found too: one in a
rare word's embedding would pass a warm-up and fail a record much later.

Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto and
https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from schemas.errors import BundleError, MalformedModelError

ALLOWED_DOMAINS = frozenset({b"", b"ai.onnx", b"com.microsoft"})

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED64: 8, _FIXED32: 4}
_MAX_VARINT_BYTES = 10

# message -> field number -> the message that it holds
_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "opset"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 10: "tensor", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
# message -> field number -> why a model that has it is refused
_FORBIDDEN: dict[str, dict[int, str]] = {
    "model": {20: "holds training information", 25: "defines functions of its own"},
    "attribute": {6: "has control flow", 11: "has control flow"},
    "tensor": {13: "keeps a tensor outside the file"},
}
_DOMAIN_FIELDS = {("opset", 1), ("node", 7)}
_DATA_LOCATION = ("tensor", 14)
_DATA_TYPE, _FLOAT_DATA, _RAW_DATA = 2, 4, 9
_FLOATS = {1: "<f4", 10: "<f2", 11: "<f8"}


def check_model(model: bytes) -> None:
    """Raise `BundleError` unless the bytes are an ONNX model that keeps to the rules above."""
    try:
        _walk(memoryview(model), "model")
    except MalformedModelError as error:
        raise BundleError(f"student.onnx is not an ONNX model: {error}") from None


def _walk(message: memoryview, kind: str) -> None:
    # The depth is bounded by the table: only `graph` in `attribute` could nest, and is refused.
    if kind == "tensor":
        _check_numbers(message)
    children = _CHILDREN.get(kind, {})
    for number, wire_type, value in _fields(message):
        if reason := _FORBIDDEN.get(kind, {}).get(number):
            raise BundleError(f"student.onnx {reason}")
        _check_value(kind, number, value)
        if number in children:
            if wire_type != _LENGTH or isinstance(value, int):
                raise MalformedModelError(f"field {number} of a {kind} is no message")
            _walk(value, children[number])


def _check_value(kind: str, number: int, value: int | memoryview) -> None:
    if (kind, number) in _DOMAIN_FIELDS and bytes(_as_bytes(value)) not in ALLOWED_DOMAINS:
        raise BundleError(f"student.onnx uses operators of the domain {_name(value)}")
    if (kind, number) == _DATA_LOCATION and value != 0:
        raise BundleError("student.onnx keeps a tensor outside the file")


def _check_numbers(tensor: memoryview) -> None:
    fields = {number: value for number, _, value in _fields(tensor)}
    raw_dtype = next((_FLOATS[kind] for kind in _FLOATS if fields.get(_DATA_TYPE) == kind), None)
    for number, dtype in ((_RAW_DATA, raw_dtype), (_FLOAT_DATA, "<f4")):
        data = fields.get(number)
        if dtype is None or data is None or isinstance(data, int):
            continue
        if len(data) % np.dtype(dtype).itemsize:
            raise MalformedModelError("a tensor is cut off")
        if np.isnan(np.frombuffer(data, dtype)).any():
            raise BundleError("student.onnx has a weight that is not a number")


def _fields(message: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
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
        elif wire_type in _FIXED_SIZES:
            size = _FIXED_SIZES[wire_type]
        else:
            raise MalformedModelError(f"wire type {wire_type}")
        if size > len(message) - at:
            raise MalformedModelError("cut off")
        yield number, wire_type, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(message[at : at + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a varint has its high bit clear
            return value, at + index + 1
    raise MalformedModelError("a number has no end")


def _as_bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise MalformedModelError("a name is a number")
    return value


def _name(value: int | memoryview) -> str:
    return repr(bytes(_as_bytes(value))[:100].decode("utf-8", "replace"))
