"""Whether a model file is one that our exporters could have written, found before it is loaded.

ONNX Runtime would follow external data to files outside the bundle, run any registered operator,
loop for ever, and serve weights that are no numbers: one in a rare word's embedding would pass a
warm-up and fail a record much later. So the bytes are read in their one canonical form
(`stream.student.onnx.wire`), which ONNX Runtime reads alike, and what they say is held against what
`distill.bundle` writes: operators and attributes (`stream.student.onnx.operators`), kinds, sizes
and values of the weights, names that are given once and before they are used, inputs and outputs.
What a text says never decides how much memory is taken: sizes come from constants and shapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from math import prod
from typing import Any, Final

import numpy as np

from schemas.errors import BundleError, MalformedModelError
from stream.student.onnx.operators import BOOL, FLOAT, INT8, INT64, OPERATORS, UINT8, Operator
from stream.student.onnx.wire import Message, read_model
from stream.student.session import INPUTS, OUTPUT

_DTYPES: Final = {FLOAT: "<f4", UINT8: "u1", INT8: "i1", INT64: "<i8", BOOL: "u1"}
_ATTRIBUTE_KINDS: Final = {"f": 1, "i": 2, "s": 3, "ints": 7}
_DIMENSIONS: Final = range(1, 5)
_HEADERS: Final = (
    (10, [("", 20), ("com.microsoft", 1)]),
    (8, [("", 17)]),  # `stream.testing.onnx_table`
)
"""The version of the format, and the operators' versions that go with it."""
_PRODUCERS: Final = (None, "silverstream")
"""Nobody else: ONNX Runtime takes bytes for a file of its own format by what may stand here."""
_NAME: Final = re.compile(r"[A-Za-z0-9_./:-]{1,300}")
_MOST_TOLD: Final = 10


def check_model(model: bytes) -> None:
    """Raise `BundleError` unless the bytes are a model as our exporters write it.

    Every fault is named, up to ten of them.
    """
    try:
        message = read_model(model)
    except MalformedModelError as error:
        raise BundleError(
            f"student.onnx is not a model as our exporters write it: {error}"
        ) from None
    faults = dict.fromkeys(islice(_faults(message), _MOST_TOLD))
    if faults:
        raise BundleError(f"student.onnx is none of our exporters': {'; '.join(faults)}")


def _faults(model: Message) -> Iterator[str]:
    graph = model.get("graph")
    if graph is None:
        yield "it has no graph"
        return
    yield from _header_faults(model)
    yield from chain.from_iterable(map(_tensor_faults, graph["initializer"]))
    yield from chain.from_iterable(map(_node_faults, graph["node"]))
    yield from _interface_faults(graph)
    yield from _flow_faults(graph)


def _header_faults(model: Message) -> Iterator[str]:
    opsets = [(one.get("domain"), one.get("version")) for one in model["opset_import"]]
    for domain, _ in opsets:
        if domain not in {domain for domain, _ in OPERATORS}:
            yield f"it uses operators of the domain {domain!r}"
    if (model.get("ir_version"), opsets) not in _HEADERS:
        yield f"its versions are {model.get('ir_version')} and {opsets}"
    if model.get("producer_name") not in _PRODUCERS:
        yield "its producer is another"


def _tensor_faults(tensor: Message) -> Iterator[str]:
    name, dims, data = tensor.get("name", ""), tensor["dims"], tensor.get("raw_data", b"")
    dtype = _DTYPES.get(tensor.get("data_type", 0))
    if dtype is None:
        yield f"{name!r} holds numbers of the kind {tensor.get('data_type')}"
    elif len(dims) not in _DIMENSIONS or min(dims) < 1:
        yield f"{name!r} has the shape {dims}"
    elif prod(dims) * np.dtype(dtype).itemsize != len(data):
        yield f"{name!r} has {len(data)} bytes for the shape {dims}"
    elif tensor["data_type"] == FLOAT and not np.isfinite(np.frombuffer(data, dtype)).all():
        yield f"{name!r} has a weight that is not a number, or infinite"
    elif tensor["data_type"] == BOOL and np.frombuffer(data, dtype).max() > 1:
        yield f"{name!r} has a truth value that is none"


def _node_faults(node: Message) -> Iterator[str]:
    domain, name = node.get("domain", ""), node.get("op_type", "")
    operator = OPERATORS.get((domain, name))
    if operator is None:
        yield f"the operator {domain + '.' * bool(domain) + name!r} is not allowed"
        return
    if not _is_within(node["input"], operator.inputs):
        yield f"{name} takes {len(node['input'])} inputs"
    if not _is_within(node["output"], operator.outputs):
        yield f"{name} gives {len(node['output'])} outputs"
    if node.get("doc_string"):
        yield f"{name} has a remark"
    yield from _attribute_faults(node, operator)


def _is_within(values: list[str], bounds: tuple[int, int]) -> bool:
    return bounds[0] <= len(values) <= bounds[1]


def _attribute_faults(node: Message, operator: Operator) -> Iterator[str]:
    seen: set[str] = set()
    for attribute in node["attribute"]:
        name = attribute.get("name", "")
        if name in seen or not _is_allowed(attribute, operator):
            yield f"{node['op_type']} has an attribute {name!r} that is not allowed so"
        seen.add(name)
    said = [
        one["i"] for one in node["attribute"] if one.get("name") == "num_outputs" and "i" in one
    ]
    if said and said != [len(node["output"])]:
        yield f"{node['op_type']} gives another number of outputs than it says"


def _is_allowed(attribute: Message, operator: Operator) -> bool:
    known = operator.attributes.get(attribute.get("name", ""))
    if known is None or attribute.get("type") != _ATTRIBUTE_KINDS[known.kind]:
        return False
    held = [kind for kind in _ATTRIBUTE_KINDS if attribute.get(kind) not in (None, [])]
    return held == [known.kind] and known.allows(attribute[known.kind])


def _interface_faults(graph: Message) -> Iterator[str]:
    if [one.get("name") for one in graph["input"]] != list(INPUTS):
        yield f"its inputs are not {', '.join(INPUTS)}"
    if any(_type(one) != (INT64, ["batch", "tokens"]) for one in graph["input"]):
        yield "its inputs are not int64 [batch, tokens]"
    if [one.get("name") for one in graph["output"]] != [OUTPUT]:
        yield f"its only output is not {OUTPUT}"
    for kind, shape in map(_type, graph["output"]):
        axes, width = shape[:-1], shape[-1] if shape else 0
        is_width = isinstance(width, int) and width > 0
        if kind != FLOAT or axes not in (["batch"], ["batch", "tokens"]) or not is_width:
            yield f"its output is not float [batch, (tokens,) labels] but {kind} {shape}"


def _type(value: Message) -> tuple[int | None, list[Any]]:
    """Kind and axes of an input or output: names, or sizes; a size of 0 for what is neither."""
    tensor = value.get("type", {}).get("tensor_type", {})
    dims = tensor.get("shape", {}).get("dim", [])
    return tensor.get("elem_type"), [_axis(one) for one in dims]


def _axis(dim: Message) -> int | str:
    if len(dim) != 1:
        return 0
    (size,) = dim.values()
    return size  # type: ignore[no-any-return] # the one value of a `dim`: a number or a name


def _flow_faults(graph: Message) -> Iterator[str]:
    """Names are given once, and before they are used; sizes never come from a text."""
    inputs = [one.get("name", "") for one in graph["input"]]
    constants = [one.get("name", "") for one in graph["initializer"]]
    yield from _name_faults(chain(inputs, constants, *(node["output"] for node in graph["node"])))
    known, of_text = {*inputs, *constants}, set(inputs)
    for node in graph["node"]:
        yield from _order_faults(node, known)
        name = node.get("op_type", "")
        told = [name in of_text for name in node["input"]]
        operator = OPERATORS.get((node.get("domain", ""), name))
        if operator is not None and any(told[i] for i in operator.shapes if i < len(told)):
            yield f"{name} takes a size from what a text says"
        known.update(node["output"])
        if any(told) and name != "Shape":
            of_text.update(node["output"])
    read = {name for node in graph["node"] for name in node["input"]}
    if unread := [name for name in constants if name not in read]:
        yield f"nothing reads {unread[0]!r}"
    if OUTPUT not in known - {*inputs, *constants}:
        yield f"nothing gives {OUTPUT}"


def _order_faults(node: Message, known: set[str]) -> Iterator[str]:
    for name in node["input"]:
        if name not in known:
            yield f"{node.get('op_type', '')} reads {name!r}, which nothing before it gives"


def _name_faults(names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if not _NAME.fullmatch(name):
            yield f"{name!r} is no plain name"
        if name in seen:
            yield f"{name!r} is given twice"
        seen.add(name)
