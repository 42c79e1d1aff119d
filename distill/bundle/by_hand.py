"""The encoder of a BERT-like student as an ONNX graph, written node by node.

An exporter would trace the network; writing the dozen operators by hand is quicker, gives the
same bytes for the same weights and does not change with the exporter's version. BERT, DistilBERT,
RoBERTa and its kin and ELECTRA are the same but for names, positions and a projection.

Query, key and value are one product, and the scale of the scores is folded into the query. The
attention is standard ONNX: com.microsoft's fused one was no faster (`docs/measurements.md`, "The
student's graph").
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto
from torch import nn

from distill.bundle.graph import Floats, Graph, Layers, linear_weights
from distill.training.body import Body
from distill.training.families import Parts
from stream.student.session import INPUTS

_MASKED = -1e4
"""As `distill.training.body`: far below any score, and finite."""


class HandWrittenBody:
    """See `distill.bundle.graph.WritesBody`; `parts` say where the weights are."""

    def __init__(self, body: Body, parts: Parts) -> None:
        self._body, self._parts = body, parts

    def write(self, graph: Graph, layers: Layers) -> str:
        """See `distill.bundle.graph.WritesBody`."""
        return _Writer(self._body, self._parts, graph, layers).write()


class _Writer:
    def __init__(self, body: Body, parts: Parts, graph: Graph, layers: Layers) -> None:
        self._body, self._parts, self._graph, self._layers = body, parts, graph, layers
        self._n_layers: int = body.config.num_hidden_layers
        self._n_heads: int = body.config.num_attention_heads
        self._width: int = body.config.hidden_size

    def write(self) -> str:
        x, mask = self._embeddings(), self._mask()
        for number in range(self._n_layers):
            x = self._layer(x, mask, self._parts.layer.format(number))
        return x

    def _embeddings(self) -> str:
        graph = self._graph
        ids, _, types = INPUTS
        words = self._body.words.weight.detach().numpy()
        total = self._layers.embedding(graph, ids, words, name="words")
        if (casings := self._casings()) is not None:
            rows = graph.add("Gather", graph.constant("casings", casings), types)
            total = graph.add("Add", total, rows)
        places = graph.add(
            "Slice",
            graph.constant("positions", self._positions()),
            graph.constant("zero", np.array([0])),
            graph.add("Shape", ids, start=1, end=2),
        )
        x = self._norm(graph.add("Add", total, places), self._parts.norm)
        return self._linear(x, self._parts.projection) if self._is_projected() else x

    def _casings(self) -> Floats | None:
        if self._body.family.types is not None:
            return self._table(self._body.family.types)
        casings = self._body.casings
        return None if casings is None else casings.weight.detach().numpy()

    def _positions(self) -> Floats:
        return self._table(self._parts.positions)[
            self._body.family.first_position(self._body.config) :
        ]

    def _is_projected(self) -> bool:
        return hasattr(self._body.encoder, self._parts.projection)

    def _mask(self) -> str:
        """[batch, 1, 1, tokens]: 0 for a token, a large negative number for padding."""
        graph = self._graph
        mask = graph.add("Cast", INPUTS[1], to=TensorProto.FLOAT)
        padding = graph.add("Sub", graph.constant("one", np.float32(1)), mask)
        scaled = graph.add("Mul", padding, graph.constant("masked", np.float32(_MASKED)))
        return graph.add("Unsqueeze", scaled, graph.constant("axes", np.array([1, 2])))

    def _layer(self, x: str, mask: str, layer: str) -> str:
        parts = self._parts
        attended = self._linear(self._attention(x, mask, layer), f"{layer}.{parts.mixed}")
        x = self._norm(self._graph.add("Add", attended, x), f"{layer}.{parts.mixed_norm}")
        inner = self._graph.add("Gelu", self._linear(x, f"{layer}.{parts.inner}"))
        outer = self._linear(inner, f"{layer}.{parts.outer}")
        return self._norm(self._graph.add("Add", outer, x), f"{layer}.{parts.outer_norm}")

    def _attention(self, x: str, mask: str, layer: str) -> str:
        graph = self._graph
        together = self._layers.linear(
            graph, x, *self._query_key_value(layer), name=f"{layer}.query_key_value"
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

    def _query_key_value(self, layer: str) -> tuple[Floats, Floats]:
        """One weight [in, 3 * out] and bias [3 * out], the scores' scale in the query."""
        scale = np.float32((self._width // self._n_heads) ** -0.5)
        names = [f"{layer}.{part}" for part in self._parts.query_key_value]
        weights, biases = zip(*(linear_weights(self._module(x)) for x in names), strict=True)
        return (
            np.concatenate([weights[0] * scale, *weights[1:]], axis=1),
            np.concatenate([biases[0] * scale, *biases[1:]]),
        )

    def _linear(self, x: str, name: str) -> str:
        weight, bias = linear_weights(self._module(name))
        return self._layers.linear(self._graph, x, weight, bias, name=name)

    def _norm(self, x: str, name: str) -> str:
        norm: nn.LayerNorm = self._module(name)
        weight = self._graph.constant(f"{name}.weight", norm.weight.detach().numpy())
        bias = self._graph.constant(f"{name}.bias", norm.bias.detach().numpy())
        return self._graph.add("LayerNormalization", x, weight, bias, axis=-1, epsilon=norm.eps)

    def _table(self, name: str) -> Floats:
        table: Floats = self._module(name).weight.detach().numpy()
        return table

    def _module(self, name: str) -> Any:
        return self._body.encoder.get_submodule(name)
