"""The encoder of any other family as an ONNX graph: traced by torch's exporter, then rewritten.

The exporter's graph is kept node for node, but for three things: what does not depend on the input
is computed once, here (DeBERTa projects its table of distances in every layer); each product with a
weight, and the look-up of the words, is written by `Layers`, so that int8 brings a scale per token
here too; and the casing channel and the mask stay inputs even where nothing reads them.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from onnx import ValueInfoProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from distill.bundle.graph import OPSET, Floats, Graph, Layers
from distill.training.body import Body
from stream.student.session import INPUTS

_HIDDEN = "hidden"
_TEXTS, _TOKENS = 2, 11
"""Shape of the example that is traced; numbers that occur nowhere else."""
_LINEAR_DIMENSIONS = 2


class TracedBody:
    """See `distill.bundle.graph.WritesBody`; traces at once, so that it can write twice."""

    def __init__(self, body: Body) -> None:
        traced = _traced(body)
        constants = {one.name: numpy_helper.to_array(one) for one in traced.initializer}
        self._nodes, self._constants = _folded(list(traced.node), constants)
        self._words = body.words.weight.detach().numpy()

    def write(self, graph: Graph, layers: Layers) -> str:
        """See `distill.bundle.graph.WritesBody`."""
        renamed: dict[str, str] = {}
        for node in self._nodes:
            inputs = [renamed.get(name, name) for name in node.input]
            if (written := self._written(node, inputs, graph, layers)) is not None:
                renamed[node.output[0]] = written
            else:
                self._copy(node, inputs, graph)
        return renamed.get(_HIDDEN, _HIDDEN)

    def _written(self, node: Any, inputs: list[str], graph: Graph, layers: Layers) -> str | None:
        """Name the output where `layers` writes the node."""
        table = self._constants.get(inputs[0]) if node.op_type == "Gather" else None
        if table is not None and inputs[1] == INPUTS[0] and table.shape == self._words.shape:
            return layers.embedding(graph, inputs[1], table, name="words")
        weight = self._constants.get(inputs[1]) if node.op_type == "MatMul" else None
        if weight is not None and _is_linear(weight):
            return layers.linear(graph, inputs[0], weight, None, name=inputs[1])
        return None

    def _copy(self, node: Any, inputs: list[str], graph: Graph) -> None:
        for name in inputs:
            if name in self._constants:
                graph.constant(name, self._constants[name])
        copied = type(node)()
        copied.CopyFrom(node)
        del copied.input[:], copied.metadata_props[:]
        copied.doc_string = ""
        copied.input.extend(inputs)
        graph.nodes.append(copied)


def _is_linear(weight: Floats) -> bool:
    return weight.ndim == _LINEAR_DIMENSIONS and weight.dtype == np.float32


def _traced(body: Body) -> Any:
    """Export the body's graph; its inputs are `INPUTS`, its output `_HIDDEN`."""
    # A tensor of its own for each: the exporter takes one given twice for one input.
    ids, mask = (torch.ones((_TEXTS, _TOKENS), dtype=torch.int64) for _ in range(2))
    sizes = {0: torch.export.Dim("batch", min=1), 1: torch.export.Dim("tokens", min=3)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's talk about names and its own future
        program = torch.onnx.export(
            body.eval(),
            (ids, mask, torch.zeros_like(ids)),
            dynamo=True,
            input_names=list(INPUTS),
            output_names=[_HIDDEN],
            dynamic_shapes=[sizes] * len(INPUTS),
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None  # noqa: S101 - for the type; it is None only when it writes a file
    return program.model_proto.graph


def _folded(nodes: list[Any], constants: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Keep the nodes that depend on an input, and the constants with what the others give."""
    known = set(constants)
    fixed: list[Any] = []
    kept: list[Any] = []
    for node in nodes:
        is_fixed = all(name in known for name in node.input if name)
        (fixed if is_fixed else kept).append(node)
        known.update(node.output if is_fixed else ())
    wanted = {name for node in kept for name in node.input} & (known - set(constants))
    return kept, {**constants, **_computed(fixed, constants, sorted(wanted))}


def _computed(nodes: list[Any], constants: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    if not names:
        return {}
    read = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "fixed",
        [],
        [ValueInfoProto(name=name) for name in names],
        [numpy_helper.from_array(constants[x], x) for x in sorted(read) if x in constants],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    return dict(zip(names, ReferenceEvaluator(model).run(names, {}), strict=True))
