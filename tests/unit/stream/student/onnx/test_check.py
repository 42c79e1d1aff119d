from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from schemas.errors import BundleError
from stream.student.onnx.check import check_model
from stream.testing.onnx_table import highest_model, table_model

TABLE = np.eye(4, 3, dtype=np.float32)
GOOD = table_model(TABLE)
Change = Callable[[onnx.ModelProto], object]


def changed(change: Change) -> bytes:
    model = onnx.load_from_string(GOOD)
    change(model)
    return bytes(model.SerializeToString(deterministic=True))


def tensor(values: Any, dtype: str = "f4", name: str = "t") -> TensorProto:
    return numpy_helper.from_array(np.array(values, dtype=dtype), name)


def outside(one: TensorProto) -> TensorProto:
    one.ClearField("raw_data")
    one.data_location = TensorProto.EXTERNAL
    one.external_data.add(key="location", value="../../etc/passwd")
    return one


def sparse(values: TensorProto, indices: TensorProto) -> onnx.SparseTensorProto:
    return onnx.SparseTensorProto(values=values, indices=indices, dims=[4])


def add_node(model: onnx.ModelProto, operator: str, *inputs: str, **options: Any) -> None:
    """A node beside the others, before the last."""
    n_outputs = options.pop("n_outputs", 1)
    outputs = [f"o{i}" for i in range(n_outputs)]
    model.graph.node.insert(1, helper.make_node(operator, inputs, outputs, **options))


def add_weight(model: onnx.ModelProto, one: TensorProto) -> None:
    """A weight that a node reads."""
    model.graph.initializer.append(one)
    add_node(model, "Identity", one.name)


def run_for_ever(model: onnx.ModelProto) -> None:
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node("Loop", ["", ""], [], body=body))


def add_function(model: onnx.ModelProto) -> None:
    opset = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("ours", "F", [], [], [], opset))


def as_list(model: onnx.ModelProto) -> None:
    weights = model.graph.initializer[0]
    values = numpy_helper.to_array(weights).ravel().tolist()
    weights.ClearField("raw_data")
    weights.float_data.extend([*values[:-1], np.nan])


def size_by_text(model: onnx.ModelProto) -> None:
    """A table's row says how large the next tensor is: a word may ask for terabytes."""
    model.graph.initializer.append(tensor([[1], [2**40]], "i8", "sizes"))
    add_node(model, "Expand", "half", "size")
    add_node(model, "Squeeze", "asked", name="size")
    model.graph.node[1].output[0] = "size"
    add_node(model, "Gather", "sizes", "input_ids")
    model.graph.node[1].output[0] = "asked"


def node_of(model: onnx.ModelProto) -> onnx.NodeProto:
    first: onnx.NodeProto = model.graph.node[0]
    return first


INDICES = tensor([1], "i8", "i")
OUTSIDE = "outside the file"
HOSTILE: dict[str, tuple[Change, str]] = {
    # What a model may hold
    "external initializer": (lambda m: outside(m.graph.initializer[0]), OUTSIDE),
    "external, no place": (
        lambda m: setattr(m.graph.initializer[0], "data_location", TensorProto.EXTERNAL),
        OUTSIDE,
    ),
    "said to be within": (
        lambda m: setattr(m.graph.initializer[0], "data_location", TensorProto.DEFAULT),
        OUTSIDE,
    ),
    "place, not external": (
        lambda m: m.graph.initializer[0].external_data.add(key="location", value="w.bin"),
        OUTSIDE,
    ),
    "external attribute": (
        lambda m: add_node(m, "Constant", value=outside(tensor([1]))),
        "tensors as attributes",
    ),
    "tensor attribute": (lambda m: add_node(m, "Constant", value=tensor([1])), "as attributes"),
    "list of tensors": (lambda m: add_node(m, "Constant", t=[tensor([1])]), "as attributes"),
    "sparse weights": (
        lambda m: m.graph.sparse_initializer.append(sparse(tensor([1]), INDICES)),
        "sparse",
    ),
    "external sparse indices": (
        lambda m: m.graph.sparse_initializer.append(sparse(tensor([1]), outside(tensor([1])))),
        "sparse",
    ),
    "sparse attribute": (
        lambda m: add_node(m, "Constant", sparse_value=sparse(tensor([1]), INDICES)),
        "sparse",
    ),
    "loop": (run_for_ever, "control flow"),
    "function": (add_function, "functions"),
    "training": (lambda m: m.training_info.add(), "training"),
    "metadata": (lambda m: m.metadata_props.add(key="a", value="b"), "metadata"),
    "field of the node": (lambda m: setattr(node_of(m), "overload", "x"), "field 8 in a node"),
    "reference to a function's attribute": (
        lambda m: node_of(m).attribute.add(ref_attr_name="x"),
        "attributes of a function",
    ),
    "no graph": (lambda m: m.ClearField("graph"), "no graph"),
    # Versions and makers
    "operator of another domain": (
        lambda m: add_node(m, "Run", "half", domain="evil.ops"),
        r"operator 'evil\.ops\.Run'",
    ),
    "opset of another domain": (
        lambda m: m.opset_import.append(helper.make_opsetid("evil.ops", 1)),
        "'evil.ops'",
    ),
    "opset twice": (lambda m: m.opset_import.append(helper.make_opsetid("", 17)), "versions"),
    "opset to come": (lambda m: setattr(m.opset_import[0], "version", 99), "versions"),
    "no opset": (lambda m: m.ClearField("opset_import"), "versions"),
    "format to come": (lambda m: setattr(m, "ir_version", 99), "versions"),
    "ONNX Runtime's own format, by its mark": (
        lambda m: setattr(m, "producer_name", "ORTM" + "x" * 8),
        "producer",
    ),
    # Operators
    "operator that draws lots": (lambda m: add_node(m, "RandomNormalLike", "half"), "RandomN"),
    "operator that is not ours": (lambda m: add_node(m, "ConstantOfShape", "half"), "ConstantOf"),
    "fused operator that is not ours": (
        lambda m: add_node(m, "FusedMatMul", "half", "half", domain="com.microsoft"),
        "FusedMatMul",
    ),
    "too few inputs": (lambda m: add_node(m, "Add", "half"), "takes 1 inputs"),
    "too many outputs": (lambda m: add_node(m, "Neg", "half", n_outputs=2), "gives 2 outputs"),
    "unknown attribute": (lambda m: add_node(m, "Neg", "half", axis=1), "attribute 'axis'"),
    "attribute of another kind": (
        lambda m: add_node(m, "Softmax", "half", axis=[1]),
        "attribute 'axis'",
    ),
    "attribute of another value": (
        lambda m: add_node(m, "Softmax", "half", axis=2**40),
        "attribute 'axis'",
    ),
    "cast to text": (
        lambda m: add_node(m, "Cast", "half", to=TensorProto.STRING),
        "attribute 'to'",
    ),
    "no order": (lambda m: add_node(m, "Transpose", "half", perm=[0, 0]), "attribute 'perm'"),
    "epsilon that is no number": (
        lambda m: add_node(m, "LayerNormalization", "half", "half", epsilon=float("nan")),
        "attribute 'epsilon'",
    ),
    "more parts than outputs": (
        lambda m: add_node(m, "Split", "half", num_outputs=3, n_outputs=2),
        "another number of outputs",
    ),
    "remark": (lambda m: setattr(node_of(m), "doc_string", "x"), "remark"),
    "size by text": (size_by_text, "a size from what a text says"),
    # Weights
    "NaN": (lambda m: add_weight(m, tensor([1, np.nan])), "not a number"),
    "infinity": (lambda m: add_weight(m, tensor([1, np.inf])), "or infinite"),
    "minus infinity": (lambda m: add_weight(m, tensor([1, -np.inf])), "or infinite"),
    "half precision": (lambda m: add_weight(m, tensor([np.nan], "f2")), "of the kind 10"),
    "double precision": (lambda m: add_weight(m, tensor([np.nan], "f8")), "of the kind 11"),
    "texts": (
        lambda m: add_weight(m, helper.make_tensor("t", TensorProto.STRING, [0], [])),
        "of the kind 8",
    ),
    "NaN in a list": (as_list, "one by one"),
    "in segments": (
        lambda m: m.graph.initializer[0].segment.CopyFrom(TensorProto.Segment(begin=0, end=1)),
        "in parts",
    ),
    "no truth value": (
        lambda m: add_weight(
            m, TensorProto(name="t", data_type=TensorProto.BOOL, dims=[1], raw_data=b"\2")
        ),
        "truth value",
    ),
    "fewer bytes than its shape": (
        lambda m: setattr(m.graph.initializer[0], "raw_data", b"abcd"),
        "4 bytes for the shape",
    ),
    "larger shape than bytes": (
        lambda m: m.graph.initializer[0].dims.__setitem__(0, 2**62),
        "bytes for the shape",
    ),
    "nothing": (lambda m: add_weight(m, tensor([])), "the shape"),
    "negative shape": (lambda m: m.graph.initializer[0].dims.__setitem__(0, -4), "the shape"),
    "scalar": (lambda m: add_weight(m, tensor(1)), "the shape"),
    "unread weight": (lambda m: m.graph.initializer.append(tensor([1])), "nothing reads 't'"),
    # Names and flow
    "one name twice": (lambda m: add_weight(m, tensor([1], name="halves")), "given twice"),
    "an input's name": (lambda m: node_of(m).output.__setitem__(0, "input_ids"), "given twice"),
    "name of no letters": (lambda m: add_weight(m, tensor([1], name="a b")), "no plain name"),
    "nameless": (lambda m: node_of(m).input.__setitem__(0, ""), "which nothing before it gives"),
    "used before it is given": (
        lambda m: node_of(m).input.__setitem__(0, "logits"),
        "which nothing before it gives",
    ),
    "no nodes": (lambda m: m.graph.ClearField("node"), "nothing gives logits"),
    # Inputs and outputs
    "other inputs": (lambda m: m.graph.input.pop(), "inputs are not"),
    "inputs of a fixed size": (
        lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[0], "dim_value", 4),
        "inputs are not int64",
    ),
    "inputs of another kind": (
        lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", 1),
        "inputs are not int64",
    ),
    "two outputs": (
        lambda m: m.graph.output.append(helper.make_tensor_value_info("half", 1, ["batch"])),
        "only output",
    ),
    "output of no width": (
        lambda m: m.graph.output[0].type.tensor_type.shape.dim.pop(),
        "its output is not",
    ),
}


def test_plain_models_pass() -> None:
    for model in (GOOD, highest_model(TABLE)):
        check_model(model)
        onnx.checker.check_model(onnx.load_from_string(model))


def test_what_the_changes_begin_with_is_what_the_onnx_package_writes() -> None:
    assert changed(lambda _: None) == GOOD


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_model_is_refused(name: str) -> None:
    change, reason = HOSTILE[name]
    with pytest.raises(BundleError, match=reason):
        check_model(changed(change))


def test_every_fault_is_named_up_to_ten() -> None:
    def change(model: onnx.ModelProto) -> None:
        for number in range(20):
            model.graph.node.append(helper.make_node(f"Evil{number}", [], []))

    with pytest.raises(BundleError) as caught:
        check_model(changed(change))
    named = [f"Evil{number}" for number in range(20) if f"Evil{number}'" in str(caught.value)]
    assert named == [f"Evil{number}" for number in range(10)]


@pytest.mark.parametrize("data", [GOOD[:-1], pickle.dumps({"a": 1}), b""])
def test_bytes_that_are_no_model_are_refused(data: bytes) -> None:
    with pytest.raises(BundleError):
        check_model(data)
