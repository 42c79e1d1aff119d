"""The operators that our exporters write, with their attributes: what is not here does not run.

Taken from what `distill.bundle` writes for every family of encoders, in both precisions, and
`stream.testing.onnx_table`. A new exporter, family or version of torch may write others: its export
fails with their names, and they are added here once somebody has looked at what they can do. None
may run code, loop, read a file or draw lots.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

FLOAT, UINT8, INT8, INT64, BOOL = 1, 2, 3, 7, 9
"""Kinds of numbers, as ONNX counts them."""

_MAX_AXIS = 8


@dataclass(frozen=True, slots=True)
class Attribute:
    """`kind` names the field that holds its value; `allows` says whether a value may be."""

    kind: str
    allows: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Operator:
    """`inputs` and `outputs`: how many it takes and gives, the least and the most.

    `shapes` are the inputs that say how large the output is, or which part of the input it is:
    these may come from constants and from the shape of the batch, never from what a text says.
    """

    inputs: tuple[int, int]
    outputs: tuple[int, int] = (1, 1)
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    shapes: frozenset[int] = frozenset()


def _is_axis(value: int) -> bool:
    return -_MAX_AXIS <= value <= _MAX_AXIS


def _one_of(*values: Any) -> Callable[[Any], bool]:
    return lambda value: value in values


def _is_order(axes: list[int]) -> bool:
    return sorted(axes) == [*range(len(axes))]


_AXIS = Attribute("i", _is_axis)
_FLAG = Attribute("i", _one_of(0, 1))


def _plain(n_inputs: int, **attributes: Attribute) -> Operator:
    return Operator((n_inputs, n_inputs), attributes=attributes)


_REDUCE = Operator(
    (1, 2),
    attributes={
        "axes": Attribute("ints", lambda axes: all(map(_is_axis, axes))),
        "keepdims": _FLAG,
    },
    shapes=frozenset({1}),
)
_BY_AXES = Operator((1, 2), shapes=frozenset({1}))

OPERATORS: Final[Mapping[tuple[str, str], Operator]] = MappingProxyType(
    {
        **{
            ("", name): _plain(1)
            for name in ("Abs", "Ceil", "Cos", "Identity", "Log", "Neg", "Not", "Sign", "Sin")
        },
        **{
            ("", name): _plain(2)
            for name in (
                *("Add", "And", "Div", "MatMul", "Max", "Min", "Mul", "Sub"),
                *("Greater", "GreaterOrEqual", "Less", "LessOrEqual"),
            )
        },
        ("", "Cast"): _plain(1, to=Attribute("i", _one_of(FLOAT, INT64, BOOL))),
        ("", "Clip"): _plain(3),
        ("", "Concat"): Operator((1, 8), attributes={"axis": _AXIS}),
        ("", "Expand"): Operator((2, 2), shapes=frozenset({1})),
        ("", "Gather"): _plain(2, axis=_AXIS),
        ("", "GatherElements"): _plain(2, axis=_AXIS),
        ("", "GatherND"): _plain(2, batch_dims=_AXIS),
        ("", "Gelu"): _plain(1, approximate=Attribute("s", _one_of(b"none"))),
        ("", "LayerNormalization"): Operator(
            (2, 3),
            attributes={
                "axis": _AXIS,
                "epsilon": Attribute("f", lambda value: 0 < value < 1),
                "stash_type": Attribute("i", _one_of(FLOAT)),
            },
        ),
        ("", "QuantizeLinear"): _plain(3),
        ("", "Range"): Operator((3, 3), shapes=frozenset({0, 1, 2})),
        ("", "ReduceMax"): _REDUCE,
        ("", "ReduceSum"): _REDUCE,
        ("", "Reshape"): Operator((2, 2), attributes={"allowzero": _FLAG}, shapes=frozenset({1})),
        ("", "Shape"): _plain(1, start=_AXIS, end=_AXIS),
        ("", "Slice"): Operator((3, 5), shapes=frozenset({1, 2, 3, 4})),
        ("", "Softmax"): _plain(1, axis=_AXIS),
        ("", "Split"): Operator(
            (1, 1), (1, 8), {"axis": _AXIS, "num_outputs": Attribute("i", _is_axis)}
        ),
        ("", "Squeeze"): _BY_AXES,
        ("", "Tile"): Operator((2, 2), shapes=frozenset({1})),
        ("", "Transpose"): _plain(1, perm=Attribute("ints", _is_order)),
        ("", "Unsqueeze"): _BY_AXES,
        ("", "Where"): _plain(3),
        ("com.microsoft", "MatMulIntegerToFloat"): _plain(5),
    }
)
"""By domain and name."""
