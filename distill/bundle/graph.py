"""What a student's ONNX graph is made of: nodes, constants, and the two kinds of heavy layer.

Each linear layer can be written in fp32 or in int8 (`distill.bundle.quantise`). That the graph
computes what the network does is shown by `distill.bundle.parity` at every export.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from stream.student.session import INPUTS, OUTPUT

Floats = npt.NDArray[np.float32]
Weights = Mapping[str, Floats]

OPSET = 20
_MICROSOFT_OPSET, _IR_VERSION = 1, 10


@dataclass
class Graph:
    """Nodes and constants in the order in which they were added; values go by name."""

    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)

    def constant(self, name: str, value: npt.ArrayLike) -> str:
        """Keep a constant; a name that is there already keeps its value."""
        if name not in self.constants:
            array = np.ascontiguousarray(value)
            self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add an operator with one output; the output's name."""
        return self.add_many(operator, *inputs, n_outputs=1, domain=domain, **attributes)[0]

    def add_many(
        self, operator: str, *inputs: str, n_outputs: int, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add an operator; its outputs' names."""
        name = f"{len(self.nodes)}_{operator}"
        outputs = [f"{name}_{i}" for i in range(n_outputs)]
        node = helper.make_node(operator, inputs, outputs, name=name, domain=domain, **attributes)
        self.nodes.append(node)
        return outputs


class Layers(Protocol):
    """How a precision writes the two kinds of layer that hold nearly all weights."""

    def linear(
        self, graph: Graph, x: str, weight: Floats, bias: Floats | None, *, name: str
    ) -> str:
        """`x @ weight + bias`; x [batch, tokens, in], weight [in, out], bias [out] or none."""

    def embedding(self, graph: Graph, ids: str, table: Floats, *, name: str) -> str:
        """Rows of `table` [rows, width] by `ids` [batch, tokens]."""


class Fp32Layers:
    """Everything as it was trained."""

    def linear(
        self, graph: Graph, x: str, weight: Floats, bias: Floats | None, *, name: str
    ) -> str:
        """See `Layers`."""
        product = graph.add("MatMul", x, graph.constant(f"{name}.weight", weight))
        return with_bias(graph, product, bias, name=name)

    def embedding(self, graph: Graph, ids: str, table: Floats, *, name: str) -> str:
        """See `Layers`."""
        return graph.add("Gather", graph.constant(f"{name}.weight", table), ids)


def with_bias(graph: Graph, product: str, bias: Floats | None, *, name: str) -> str:
    """Add the bias, where there is one."""
    if bias is None:
        return product
    return graph.add("Add", product, graph.constant(f"{name}.bias", bias))


class WritesBody(Protocol):
    """Writes a student's encoder into a graph."""

    def write(self, graph: Graph, layers: Layers) -> str:
        """Add the encoder to an empty graph; the name of its hidden states [batch, tokens, width].

        Its inputs are those that `stream.student` gives.
        """


def linear_weights(module: nn.Linear) -> tuple[Floats, Floats]:
    """Give the weight [in, out] and the bias [out] of a layer."""
    return module.weight.detach().numpy().T, module.bias.detach().numpy()


def serialised(graph: Graph, output: str, *, axes: Sequence[str], width: int) -> bytes:
    """Make a model of the graph, whose float `output` is [*axes, width]; its constants are used up.

    They are most of a model, and onnx copies what it puts together: so they come last, one by one.
    """
    made = helper.make_graph(
        [*graph.nodes, helper.make_node("Identity", [output], [OUTPUT])],
        "student",
        [_value(name, TensorProto.INT64, "batch", "tokens") for name in INPUTS],
        [_value(OUTPUT, TensorProto.FLOAT, *axes, width)],
    )
    opsets = [
        helper.make_opsetid("", OPSET),
        helper.make_opsetid("com.microsoft", _MICROSOFT_OPSET),
    ]
    model = helper.make_model(
        made, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="silverstream"
    )
    for name in [*graph.constants]:
        model.graph.initializer.append(graph.constants.pop(name))
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _value(name: str, kind: int, *shape: str | int) -> Any:
    return helper.make_tensor_value_info(name, kind, list(shape))
