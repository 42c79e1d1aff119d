"""A look-up table as an ONNX model, written byte by byte: no `onnx` package is needed.

Its logits are `table[input_ids]`, or of each label the highest among the tokens; the other two
inputs of the student's contract are taken and change nothing. The weights are half the table, and
are added to themselves: a row of infinities, with which a student fails, is made of finite weights,
as no others are taken.

Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto and
https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_FLOAT, _INT64 = 1, 7
_INT, _INTS = 2, 7
"""Kinds of an attribute."""
_IR_VERSION, _OPSET = 8, 17
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def table_model(table: npt.NDArray[np.float32]) -> bytes:
    """Bytes of a model with logits [batch, tokens, tags]; `table` float32 [ids, tags]."""
    return _model(table, _look_up(output="logits"), axes=("batch", "tokens"))


def highest_model(table: npt.NDArray[np.float32]) -> bytes:
    """Bytes of a model with logits [batch, labels]; `table` float32 [ids, labels]."""
    over_tokens = (_integers("axes", [1]), _integer("keepdims", 0))
    highest = _node("ReduceMax", inputs=("of_tokens",), output="logits", attributes=over_tokens)
    return _model(table, [*_look_up(output="of_tokens"), highest], axes=("batch",))


def _look_up(*, output: str) -> list[bytes]:
    halves = _node("Gather", inputs=("halves", "input_ids"), output="half")
    return [halves, _node("Add", inputs=("half", "half"), output=output)]


def _halves(table: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Half of each number, of which twice is the number again: of infinity the largest."""
    largest = np.finfo(np.float32).max
    halves = np.clip(table, -largest, largest) / np.where(np.isinf(table), 1, 2)
    return halves.astype(np.float32)


def _model(table: npt.NDArray[np.float32], nodes: list[bytes], *, axes: tuple[str, ...]) -> bytes:
    graph = [
        *(_field(1, node) for node in nodes),
        _field(2, b"table"),
        _field(5, _tensor("halves", _halves(table))),
        *(_field(11, _value(name, _INT64, "batch", "tokens")) for name in _INPUTS),
        _field(12, _value("logits", _FLOAT, *axes, table.shape[1])),
    ]
    opset = _field(1, b"") + _number(2, _OPSET)
    return _number(1, _IR_VERSION) + _field(7, b"".join(graph)) + _field(8, opset)


def _node(
    operator: str, *, inputs: tuple[str, ...], output: str, attributes: tuple[bytes, ...] = ()
) -> bytes:
    names = b"".join(_field(1, name.encode()) for name in inputs)
    told = b"".join(_field(5, attribute) for attribute in attributes)
    return names + _field(2, output.encode()) + _field(4, operator.encode()) + told


def _integer(name: str, value: int) -> bytes:
    return _field(1, name.encode()) + _number(3, value) + _number(20, _INT)


def _integers(name: str, values: list[int]) -> bytes:
    given = b"".join(_number(8, value) for value in values)
    return _field(1, name.encode()) + given + _number(20, _INTS)


def _tensor(name: str, values: npt.NDArray[np.float32]) -> bytes:
    sizes = b"".join(_number(1, size) for size in values.shape)
    data = values.astype("<f4").tobytes()
    return sizes + _number(2, _FLOAT) + _field(8, name.encode()) + _field(9, data)


def _value(name: str, kind: int, *axes: str | int) -> bytes:
    """Name a tensor by its axes: names, or sizes."""
    sizes = [
        _number(1, axis) if isinstance(axis, int) else _field(2, axis.encode()) for axis in axes
    ]
    shape = b"".join(_field(1, size) for size in sizes)
    tensor_type = _number(1, kind) + _field(2, shape)
    return _field(1, name.encode()) + _field(2, _field(1, tensor_type))


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])
