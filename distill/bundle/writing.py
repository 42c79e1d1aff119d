"""A whole student as an ONNX model: its body by hand or traced, and its head."""

from __future__ import annotations

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
    return serialised(graph, logits, width=len(bias))
