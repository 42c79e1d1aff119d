"""Int8 that does not look at the company a text is in.

ONNX Runtime's dynamic quantisation takes one activation scale for the whole batch: what a
text is tagged as would depend on its neighbours. Here each token has a scale of its own, found as
it passes: divide the row by its largest magnitude / 127, round, multiply as integers
(`MatMulIntegerToFloat`), scale back. Integer sums are exact, so the result is the same at
every batch size.

Weights keep 7 bits, one scale per output: without VNNI (AVX2) pairs of products are added in 16
bits, which 8 bits overflow. The same 7 bits everywhere let a bundle tag alike on every CPU.
The word embeddings, most of the file, are stored in 8 bits with a scale per row.

Each token brings its own scale although static ones are a little faster: they are further off,
and would have to be measured on texts that later drift. All that was compared:
`docs/measurements.md`, "Int8".
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from distill.bundle.graph import Floats, Graph, with_bias

_WEIGHT_MAX = 63
_ACTIVATION_MAX = 127
_EMBEDDING_MAX = 127
_TINY = 1e-9
"""Keeps the scale of a row of zeros, of a weight or an activation, from being zero."""


class Int8Layers:
    """Linear layers and the word embeddings in int8; see `distill.bundle.graph.Layers`."""

    def linear(
        self, graph: Graph, x: str, weight: Floats, bias: Floats | None, *, name: str
    ) -> str:
        """See `distill.bundle.graph.Layers`."""
        integers, scales = quantised(weight, limit=_WEIGHT_MAX, axis=0)
        row_scale = _row_scale(graph, x)
        product = graph.add(
            "MatMulIntegerToFloat",
            _rounded(graph, x, row_scale),
            graph.constant(f"{name}.weight", integers),
            graph.constant("one", np.float32(1)),
            graph.constant(f"{name}.scale", scales[0]),
            graph.constant("middle", np.uint8(128)),
            domain="com.microsoft",
        )
        scaled = graph.add("Mul", product, row_scale)
        return with_bias(graph, scaled, bias, name=name)

    def embedding(self, graph: Graph, ids: str, table: Floats, *, name: str) -> str:
        """See `distill.bundle.graph.Layers`."""
        integers, scales = quantised(table, limit=_EMBEDDING_MAX, axis=1)
        rows = graph.add("Gather", graph.constant(f"{name}.weight", integers), ids)
        of_rows = graph.add("Gather", graph.constant(f"{name}.scale", scales), ids)
        return graph.add("Mul", graph.add("Cast", rows, to=TensorProto.FLOAT), of_rows)


def quantised(
    values: Floats, *, limit: int, axis: int
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Symmetric integers in [-limit, limit], and the scales along `axis` that undo them.

    `values` [n, m] gives integers [n, m] and scales [1, m] or [n, 1].
    """
    largest = np.abs(values).max(axis=axis, keepdims=True)
    scales = (np.maximum(largest, _TINY) / limit).astype(np.float32)
    return np.rint(values / scales).astype(np.int8), scales


def _row_scale(graph: Graph, x: str) -> str:
    """[batch, tokens, 1]: the largest magnitude of each token / 127."""
    axes = graph.constant("last", np.array([-1]))
    largest = graph.add("ReduceMax", graph.add("Abs", x), axes, keepdims=1)
    kept = graph.add("Max", largest, graph.constant("tiny", np.float32(_TINY)))
    return graph.add("Mul", kept, graph.constant("step", np.float32(1 / _ACTIVATION_MAX)))


def _rounded(graph: Graph, x: str, row_scale: str) -> Any:
    """Unsigned bytes around 128: the kind that every CPU multiplies with signed weights."""
    return graph.add(
        "QuantizeLinear",
        graph.add("Div", x, row_scale),
        graph.constant("one", np.float32(1)),
        graph.constant("middle", np.uint8(128)),
    )
