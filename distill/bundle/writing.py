"""A whole student as an ONNX model: its body by hand or traced, and its head."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import TensorProto

from distill.bundle.by_hand import HandWrittenBody
from distill.bundle.graph import (
    Fp32Layers,
    Graph,
    Layers,
    WritesBody,
    linear_weights,
    serialised,
)
from distill.bundle.traced import TracedBody
from distill.training.body import Body
from distill.training.model import TagModel
from distill.training.pooling import Pool, each_token, mean_of_tokens
from stream.student.session import INPUTS


def body_writer(body: Body) -> WritesBody:
    """Choose how the encoder is written: by hand where its family has a map, else traced."""
    parts = body.family.parts
    return TracedBody(body) if parts is None else HandWrittenBody(body, parts)


def student_onnx(model: TagModel, layers: Layers, *, body: WritesBody | None = None) -> bytes:
    """Write the whole network; inputs and output are those that `stream.student` expects.

    `body` is the model's writer where there is one already: tracing takes seconds.
    """
    graph = Graph()
    hidden = (body or body_writer(model.body)).write(graph, layers)
    weight, bias = linear_weights(model.head)
    logits = Fp32Layers().linear(graph, hidden, weight, bias, name="head")
    pooled = _POOLS[model.pool](graph, logits)
    axes = ("batch", "tokens") if model.pool is each_token else ("batch",)
    return serialised(graph, pooled, axes=axes, width=len(bias))


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
