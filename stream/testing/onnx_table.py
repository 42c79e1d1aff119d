"""A look-up table as an ONNX model, written byte by byte: no `onnx` package is needed.

Its logits are `table[input_ids]`; the other two inputs of the student's contract are
taken and change nothing.

Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto and
https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_FLOAT, _INT64 = 1, 7
_IR_VERSION, _OPSET = 8, 17
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def table_model(table: npt.NDArray[np.float32]) -> bytes:
    """Bytes of the model; `table` float32 [ids, tags]."""
    n_tags = table.shape[1]
    graph = [
        _field(1, _node("Gather", inputs=("table", "input_ids"), output="logits")),
        _field(2, b"table"),
        _field(5, _tensor("table", table)),
        *(_field(11, _value(name, _INT64)) for name in _INPUTS),
        _field(12, _value("logits", _FLOAT, last_size=n_tags)),
    ]
    opset = _field(1, b"") + _number(2, _OPSET)
    return _number(1, _IR_VERSION) + _field(7, b"".join(graph)) + _field(8, opset)


def _node(operator: str, *, inputs: tuple[str, ...], output: str) -> bytes:
    names = b"".join(_field(1, name.encode()) for name in inputs)
    return names + _field(2, output.encode()) + _field(4, operator.encode())


def _tensor(name: str, values: npt.NDArray[np.float32]) -> bytes:
    sizes = b"".join(_number(1, size) for size in values.shape)
    data = values.astype("<f4").tobytes()
    return sizes + _number(2, _FLOAT) + _field(8, name.encode()) + _field(9, data)


def _value(name: str, kind: int, *, last_size: int | None = None) -> bytes:
    """Name a tensor of shape [batch, tokens] or [batch, tokens, last_size]."""
    axes = [_field(2, b"batch"), _field(2, b"tokens")]
    axes += [] if last_size is None else [_number(1, last_size)]
    shape = b"".join(_field(1, axis) for axis in axes)
    tensor_type = _number(1, kind) + _field(2, shape)
    return _field(1, name.encode()) + _field(2, _field(1, tensor_type))


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])
