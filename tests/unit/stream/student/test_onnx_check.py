from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from schemas.errors import BundleError
from stream.student.onnx_check import check_model
from stream.testing.onnx_table import table_model

GOOD = table_model(np.eye(4, 3, dtype=np.float32))


def changed(change: Callable[[onnx.ModelProto], object]) -> bytes:
    model = onnx.load_from_string(GOOD)
    change(model)
    return bytes(model.SerializeToString())


def outside(tensor: TensorProto) -> TensorProto:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return tensor


def outside_without_place(tensor: TensorProto) -> None:
    tensor.data_location = TensorProto.EXTERNAL


def place_without_location(tensor: TensorProto) -> None:
    tensor.external_data.add(key="location", value="weights.bin")


def numbers(values: list[float], dtype: str = "f4") -> TensorProto:
    return numpy_helper.from_array(np.array(values, dtype=dtype), "t")


def sparse(values: TensorProto, indices: TensorProto) -> onnx.SparseTensorProto:
    return onnx.SparseTensorProto(values=values, indices=indices, dims=[4])


def add_node(model: onnx.ModelProto, **attributes: Any) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["c"], **attributes))


def loop_for_ever(model: onnx.ModelProto) -> None:
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node("Loop", ["", ""], [], body=body))


def add_function(model: onnx.ModelProto) -> None:
    opset = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("ours", "F", [], [], [], opset))


INDICES = numpy_helper.from_array(np.array([1], dtype=np.int64), "i")
OUTSIDE = "outside the file"
HOSTILE: dict[str, tuple[Callable[[onnx.ModelProto], object], str]] = {
    "external initializer": (lambda m: outside(m.graph.initializer[0]), OUTSIDE),
    "external, no place": (lambda m: outside_without_place(m.graph.initializer[0]), OUTSIDE),
    "place, not external": (lambda m: place_without_location(m.graph.initializer[0]), OUTSIDE),
    "external attribute": (lambda m: add_node(m, value=outside(numbers([1]))), OUTSIDE),
    "external attribute list": (lambda m: add_node(m, t=[outside(numbers([1]))]), OUTSIDE),
    "external sparse values": (
        lambda m: m.graph.sparse_initializer.append(sparse(outside(numbers([1])), INDICES)),
        OUTSIDE,
    ),
    "external sparse indices": (
        lambda m: m.graph.sparse_initializer.append(sparse(numbers([1]), outside(numbers([1])))),
        OUTSIDE,
    ),
    "external sparse attribute": (
        lambda m: add_node(m, sparse_value=sparse(outside(numbers([1])), INDICES)),
        OUTSIDE,
    ),
    "operator of another domain": (
        lambda m: m.graph.node.append(helper.make_node("Run", [], [], domain="evil.ops")),
        "evil.ops",
    ),
    "opset of another domain": (
        lambda m: m.opset_import.append(helper.make_opsetid("evil.ops", 1)),
        "evil.ops",
    ),
    "loop": (loop_for_ever, "control flow"),
    "function": (add_function, "functions"),
    "training": (lambda m: m.training_info.add(), "training"),
    "NaN, raw": (lambda m: m.graph.initializer.append(numbers([1, np.nan])), "not a number"),
    "NaN, half": (lambda m: m.graph.initializer.append(numbers([np.nan], "f2")), "not a number"),
    "NaN, double": (lambda m: m.graph.initializer.append(numbers([np.nan], "f8")), "not a number"),
    "NaN, listed": (
        lambda m: m.graph.initializer.add(data_type=1, dims=[2]).float_data.extend([1, np.nan]),
        "not a number",
    ),
}


def test_a_plain_model_passes() -> None:
    check_model(GOOD)
    onnx.checker.check_model(onnx.load_from_string(GOOD))


def test_operators_of_onnx_runtime_and_infinite_constants_pass() -> None:
    def change(model: onnx.ModelProto) -> None:
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
        model.graph.node.append(helper.make_node("FusedMatMul", [], [], domain="com.microsoft"))
        model.graph.initializer.append(numbers([-np.inf]))

    check_model(changed(change))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_model_is_refused(name: str) -> None:
    change, reason = HOSTILE[name]
    with pytest.raises(BundleError, match=reason):
        check_model(changed(change))


@pytest.mark.parametrize(
    "data",
    [GOOD[:-1], pickle.dumps({"a": 1}), b"\x0b", b"\x08" + b"\xff" * 30, b"\x3a\xff\xff\x7f"],
)
def test_bytes_that_are_no_model_are_refused(data: bytes) -> None:
    with pytest.raises(BundleError):
        check_model(data)


@settings(max_examples=50, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_pass_or_are_refused_and_nothing_else(data: bytes) -> None:
    try:
        check_model(data)
    except BundleError:
        return


@settings(max_examples=50, deadline=None)
@given(at=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255))
def test_a_damaged_model_passes_or_is_refused_and_nothing_else(at: int, byte: int) -> None:
    try:
        check_model(GOOD[:at] + bytes([byte]) + GOOD[at + 1 :])
    except BundleError:
        return
