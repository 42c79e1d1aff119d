"""The student as an ONNX graph, written node by node.

An exporter would trace the network; writing the dozen operators by hand is quicker, gives the
same bytes for the same weights, does not change with the exporter's version, and lets each linear
layer be written in fp32 or in int8 (`distill.bundle.quantise`). That the graph computes what the
network does is shown by `distill.bundle.parity` at every export.

Query, key and value are one product, and the scale of the scores is folded into the query. The
attention is standard ONNX: com.microsoft's fused one was no faster (`docs/measurements.md`, "The
student's graph").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

from distill.training.model import TagModel
from distill.training.pooling import Pool, each_token, mean_of_tokens
from stream.student.session import INPUTS, OUTPUT

Floats = npt.NDArray[np.float32]
Weights = Mapping[str, Floats]

_OPSET, _MICROSOFT_OPSET, _IR_VERSION = 20, 1, 10
_MASKED = -1e4
"""As `distill.training.model`: far below any score, and finite."""


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

    def linear(self, graph: Graph, x: str, weight: Floats, bias: Floats, *, name: str) -> str:
        """`x @ weight + bias`; x [batch, tokens, in], weight [in, out], bias [out]."""

    def embedding(self, graph: Graph, ids: str, table: Floats, *, name: str) -> str:
        """Rows of `table` [rows, width] by `ids` [batch, tokens]."""


class Fp32Layers:
    """Everything as it was trained."""

    def linear(self, graph: Graph, x: str, weight: Floats, bias: Floats, *, name: str) -> str:
        """See `Layers`."""
        product = graph.add("MatMul", x, graph.constant(f"{name}.weight", weight))
        return graph.add("Add", product, graph.constant(f"{name}.bias", bias))

    def embedding(self, graph: Graph, ids: str, table: Floats, *, name: str) -> str:
        """See `Layers`."""
        return graph.add("Gather", graph.constant(f"{name}.weight", table), ids)


def _of_each_token(_graph: Graph, logits: str) -> str:
    return logits


def _of_their_mean(graph: Graph, logits: str) -> str:
    """[batch, tokens, outputs] to the mean of the tokens, [batch, outputs].

    The head was applied to each token and their logits are pooled, which is the same: a product of
    one row a text would be computed in another way for a single text. So would a mean by
    `ReduceMean`; a product of matrices for each text is not.
    """
    mask = graph.add("Cast", INPUTS[1], to=TensorProto.FLOAT)
    size = graph.add("ReduceSum", mask, graph.constant("last", np.array([-1])), keepdims=1)
    axis = graph.constant("first", np.array([1]))
    shares = graph.add("Unsqueeze", graph.add("Div", mask, size), axis)
    return graph.add("Squeeze", graph.add("MatMul", shares, logits), axis)


_POOLS: dict[Pool, Callable[[Graph, str], str]] = {
    each_token: _of_each_token,
    mean_of_tokens: _of_their_mean,
}


def student_onnx(model: TagModel, layers: Layers) -> bytes:
    """Write the whole network; inputs and output are those that `stream.student` expects."""
    return _Writer(model, layers).write()


class _Writer:
    def __init__(self, model: TagModel, layers: Layers) -> None:
        config = model.bert.config
        self._weights = {name: value.numpy() for name, value in model.state_dict().items()}
        self._layers = layers
        self._pool = model.pool
        self._n_layers: int = config.num_hidden_layers
        self._n_heads: int = config.num_attention_heads
        self._width: int = config.hidden_size
        self._epsilon: float = config.layer_norm_eps
        self._graph = Graph()

    def write(self) -> bytes:
        x, mask = self._embeddings(), self._mask()
        for number in range(self._n_layers):
            x = self._layer(x, mask, f"bert.encoder.layer.{number}")
        logits = Fp32Layers().linear(self._graph, x, *self._linear_weights("head"), name="head")
        logits = _POOLS[self._pool](self._graph, logits)
        self._graph.nodes.append(helper.make_node("Identity", [logits], [OUTPUT]))
        return self._serialised()

    def _serialised(self) -> bytes:
        axes = ["batch", "tokens"] if self._pool is each_token else ["batch"]
        n_outputs = len(self._weights["head.bias"])
        graph = helper.make_graph(
            self._graph.nodes,
            "student",
            [_value(name, TensorProto.INT64, "batch", "tokens") for name in INPUTS],
            [_value(OUTPUT, TensorProto.FLOAT, *axes, n_outputs)],
            list(self._graph.constants.values()),
        )
        opsets = [
            helper.make_opsetid("", _OPSET),
            helper.make_opsetid("com.microsoft", _MICROSOFT_OPSET),
        ]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="silverstream"
        )
        data: bytes = model.SerializeToString(deterministic=True)
        return data

    def _embeddings(self) -> str:
        graph, prefix = self._graph, "bert.embeddings"
        ids, _, types = INPUTS
        words = self._layers.embedding(
            graph, ids, self._weights[f"{prefix}.word_embeddings.weight"], name="words"
        )
        casings = graph.add("Gather", self._kept(f"{prefix}.token_type_embeddings.weight"), types)
        places = graph.add(
            "Slice",
            self._kept(f"{prefix}.position_embeddings.weight"),
            graph.constant("zero", np.array([0])),
            graph.add("Shape", ids, start=1, end=2),
        )
        total = graph.add("Add", graph.add("Add", words, casings), places)
        return self._norm(total, f"{prefix}.LayerNorm")

    def _mask(self) -> str:
        """[batch, 1, 1, tokens]: 0 for a token, a large negative number for padding."""
        graph = self._graph
        mask = graph.add("Cast", INPUTS[1], to=TensorProto.FLOAT)
        padding = graph.add("Sub", graph.constant("one", np.float32(1)), mask)
        scaled = graph.add("Mul", padding, graph.constant("masked", np.float32(_MASKED)))
        return graph.add("Unsqueeze", scaled, graph.constant("axes", np.array([1, 2])))

    def _layer(self, x: str, mask: str, prefix: str) -> str:
        context = self._attention(x, mask, f"{prefix}.attention.self")
        attended = self._linear(context, f"{prefix}.attention.output.dense")
        x = self._norm(self._graph.add("Add", attended, x), f"{prefix}.attention.output.LayerNorm")
        inner = self._graph.add("Gelu", self._linear(x, f"{prefix}.intermediate.dense"))
        outer = self._linear(inner, f"{prefix}.output.dense")
        return self._norm(self._graph.add("Add", outer, x), f"{prefix}.output.LayerNorm")

    def _attention(self, x: str, mask: str, prefix: str) -> str:
        graph = self._graph
        together = self._layers.linear(
            graph, x, *self._query_key_value(prefix), name=f"{prefix}.qkv"
        )
        parts = graph.add_many("Split", together, n_outputs=3, axis=-1, num_outputs=3)
        orders = ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])  # the keys transposed
        query, key, value = (
            self._heads(part, order) for part, order in zip(parts, orders, strict=True)
        )
        scores = graph.add("Add", graph.add("MatMul", query, key), mask)
        mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), value)
        joined = graph.add("Transpose", mixed, perm=[0, 2, 1, 3])
        shape = graph.constant("joined", np.array([0, 0, self._width]))
        return graph.add("Reshape", joined, shape)

    def _heads(self, x: str, order: list[int]) -> str:
        """[batch, tokens, width] to [batch, tokens, heads, width / heads], in a new order."""
        size = self._width // self._n_heads
        shape = self._graph.constant("heads", np.array([0, 0, self._n_heads, size]))
        return self._graph.add("Transpose", self._graph.add("Reshape", x, shape), perm=order)

    def _query_key_value(self, prefix: str) -> tuple[Floats, Floats]:
        """One weight [in, 3 * out] and bias [3 * out], the scores' scale in the query."""
        scale = np.float32((self._width // self._n_heads) ** -0.5)
        names = [f"{prefix}.{part}" for part in ("query", "key", "value")]
        weights, biases = zip(*map(self._linear_weights, names), strict=True)
        return (
            np.concatenate([weights[0] * scale, *weights[1:]], axis=1),
            np.concatenate([biases[0] * scale, *biases[1:]]),
        )

    def _linear(self, x: str, name: str) -> str:
        return self._layers.linear(self._graph, x, *self._linear_weights(name), name=name)

    def _linear_weights(self, name: str) -> tuple[Floats, Floats]:
        return self._weights[f"{name}.weight"].T, self._weights[f"{name}.bias"]

    def _norm(self, x: str, name: str) -> str:
        weight, bias = self._kept(f"{name}.weight"), self._kept(f"{name}.bias")
        return self._graph.add(
            "LayerNormalization", x, weight, bias, axis=-1, epsilon=self._epsilon
        )

    def _kept(self, name: str) -> str:
        return self._graph.constant(name, self._weights[name])


def _value(name: str, kind: int, *shape: str | int) -> Any:
    return helper.make_tensor_value_info(name, kind, list(shape))
