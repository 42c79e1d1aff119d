from __future__ import annotations

import random

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import BundleError, MalformedModelError
from stream.student.onnx.check import check_model
from stream.student.onnx.wire import read_model
from stream.testing.onnx_table import table_model
from tests.benchmarks.fuzz_readers import fuzz, seeds

GOOD = table_model(np.eye(4, 3, dtype=np.float32))
MODEL = onnx.load_from_string(GOOD)
GRAPH = MODEL.graph.SerializeToString()
REST = bytes([8, 8])
"""The field `ir_version`, which stands before the graph."""
OPSET = GOOD[-6:]


def number(value: int, *, needless: int = 0) -> bytes:
    data = bytearray()
    while value > 0x7F or needless:
        needless -= value <= 0x7F
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*data, value])


def field(tag: int, content: bytes) -> bytes:
    return number(tag << 3 | 2) + number(len(content)) + content


def with_graph(graph: bytes) -> bytes:
    return REST + field(7, graph) + OPSET


WEIGHTS = MODEL.graph.initializer[0].SerializeToString()
OUTSIDE = onnx.TensorProto(data_location=onnx.TensorProto.EXTERNAL).SerializeToString()


def with_weights(more: bytes) -> bytes:
    return with_graph(GRAPH.replace(field(5, WEIGHTS), field(5, WEIGHTS) + field(5, more)))


IN_ANOTHER_FORM = {
    "a tag over 32 bits": (
        with_graph(GRAPH + number((5 << 3 | 2) + 2**32) + number(len(OUTSIDE)) + OUTSIDE),
        "it has field",
    ),
    "a tag of ten bytes": (
        with_graph(GRAPH + number(5 << 3 | 2, needless=8) + b"\0"),
        "longer than it is",
    ),
    "a needless byte in a tag": (with_graph(number(1 << 3 | 2, needless=1) + GRAPH[1:]), "longer"),
    "a needless byte in a length": (
        REST + b"\x3a" + number(len(GRAPH), needless=1) + GRAPH + OPSET,
        "longer",
    ),
    "a needless byte in a number": (b"\x08\x88\x00" + field(7, GRAPH) + OPSET, "longer"),
    "a number over 64 bits": (b"\x08" + b"\xff" * 9 + b"\x7f" + field(7, GRAPH) + OPSET, "longer"),
    "a kind of numbers that is cut to 32 bits": (
        with_weights(b"\x08\x01\x10" + number(2**32 + 11) + field(8, b"t") + field(9, b"\0" * 8)),
        "32 bits",
    ),
    "a kind of numbers that is negative": (
        with_weights(b"\x08\x01\x10" + number(2**64 - 1)),
        "32 bits",
    ),
    "fields in another order": (REST + OPSET + field(7, GRAPH), "out of its order"),
    "a graph in two parts": (REST + field(7, GRAPH) + field(7, b"") + OPSET, "repeated"),
    "a tensor's data twice": (
        with_graph(GRAPH.replace(field(5, WEIGHTS), field(5, WEIGHTS + field(9, b"\0\0\xc0\x7f")))),
        "repeated",
    ),
    "numbers in a packed list": (
        with_graph(GRAPH.replace(field(5, WEIGHTS), field(5, b"\x0a\x02\x04\x03" + WEIGHTS[4:]))),
        "wire type 2",
    ),
    "a list of floats, packed": (
        with_weights(b"\x08\x01\x10\x01" + field(4, b"\0\0\xc0\x7f") + field(8, b"t")),
        "one by one",
    ),
    "a list of floats, one by one": (
        with_weights(b"\x08\x01\x10\x01" + b"\x25\0\0\xc0\x7f" + field(8, b"t")),
        "one by one",
    ),
    "an unknown field": (with_graph(GRAPH + field(99, b"x")), "field 99"),
    "a group": (with_graph(GRAPH + b"\x0b\x0c"), "wire type 3"),
    "a number where a message is": (with_graph(GRAPH + b"\x28\x01"), "wire type 0"),
    "eight bytes where a number is": (b"\x09" + b"\0" * 8 + field(7, GRAPH) + OPSET, "wire type 1"),
    "a name that is not ASCII": (with_graph(GRAPH.replace(b"halves", b"halv\xc3\xa9")), "ASCII"),
    "a name that is long": (with_graph(GRAPH + field(12, field(1, b"a" * 301))), "longer than 300"),
    "cut off": (GOOD[:-1], "cut off"),
    "a number without an end": (b"\x08" + b"\xff" * 30, "no end"),
    "a length beyond the end": (b"\x3a\xff\xff\x7f", "cut off"),
    "wire type 3": (b"\x0b", "wire type 3"),
}


def test_the_parts_of_these_tests_are_the_model() -> None:
    assert with_graph(GRAPH) == GOOD
    assert field(5, WEIGHTS) in GRAPH
    assert WEIGHTS.startswith(b"\x08\x04\x08\x03")


def test_the_canonical_form_is_read_as_protobuf_reads_it() -> None:
    read = read_model(GOOD)
    assert read["ir_version"] == MODEL.ir_version
    (weights,) = read["graph"]["initializer"]
    assert bytes(weights["raw_data"]) == MODEL.graph.initializer[0].raw_data
    assert weights["dims"] == [4, 3]
    assert [one["op_type"] for one in read["graph"]["node"]] == ["Gather", "Add"]


def test_negative_numbers_are_read() -> None:
    node = onnx.helper.make_node("Softmax", ["half"], ["x"], axis=-1)
    read = read_model(with_graph(field(1, node.SerializeToString()) + GRAPH))
    assert read["graph"]["node"][0]["attribute"][0]["i"] == -1


@pytest.mark.parametrize("name", IN_ANOTHER_FORM)
def test_another_form_is_refused(name: str) -> None:
    data, reason = IN_ANOTHER_FORM[name]
    with pytest.raises(MalformedModelError, match=reason):
        read_model(data)
    with pytest.raises(BundleError, match="not a model as our exporters write it"):
        check_model(data)


def test_more_nodes_than_any_student_has_are_not_read() -> None:
    with pytest.raises(MalformedModelError, match="more than 20000 times"):
        read_model(with_graph(b"\x0a\x00" * 20_001))


def test_readers_agree_on_damaged_models() -> None:
    counts = fuzz(seeds(), rng=random.Random(0), go_on=lambda n: n < 700)
    assert counts["taken by both"] > 30
    assert counts["refused"] > 300


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_pass_or_are_refused_and_nothing_else(data: bytes) -> None:
    try:
        check_model(data)
    except BundleError:
        return


@settings(max_examples=100, deadline=None)
@given(at=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255))
def test_a_damaged_model_passes_or_is_refused_and_nothing_else(at: int, byte: int) -> None:
    try:
        check_model(GOOD[:at] + bytes([byte]) + GOOD[at + 1 :])
    except BundleError:
        return
