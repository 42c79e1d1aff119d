from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest

from schemas.errors import BundleError, TaggingError
from stream.student.session import Session
from stream.testing.onnx_table import table_model

TABLE = np.arange(12, dtype=np.float32).reshape(4, 3)


def changed(change: Callable[[onnx.ModelProto], object]) -> bytes:
    model = onnx.load_from_string(table_model(TABLE))
    change(model)
    return bytes(model.SerializeToString())


def test_a_run_gives_the_logits_of_each_token() -> None:
    ids = np.array([[0, 3], [2, 1]], dtype=np.int64)
    logits = Session(table_model(TABLE)).run(ids, np.zeros_like(ids))
    assert logits.tolist() == TABLE[ids].tolist()


def test_a_model_that_fails_on_an_input_raises_a_tagging_error() -> None:
    ids = np.array([[99]], dtype=np.int64)
    with pytest.raises(TaggingError, match="the student failed"):
        Session(table_model(TABLE)).run(ids, np.zeros_like(ids))


@pytest.mark.parametrize("data", [b"", b"\x80\x04.", table_model(TABLE)[:-20]])
def test_bytes_that_onnx_runtime_refuses_are_a_bad_bundle(data: bytes) -> None:
    with pytest.raises(BundleError, match="does not load"):
        Session(data)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m.graph.input.pop(), "must take int64"),
        (lambda m: setattr(m.graph.input[1], "name", "mask"), "must take int64"),
        (
            lambda m: setattr(
                m.graph.input[2].type.tensor_type, "elem_type", onnx.TensorProto.INT32
            ),
            "must take int64",
        ),
    ],
)
def test_a_model_with_other_inputs_is_a_bad_bundle(
    change: Callable[[onnx.ModelProto], object], reason: str
) -> None:
    with pytest.raises(BundleError, match=reason):
        Session(changed(change))


def test_a_model_with_another_output_is_a_bad_bundle() -> None:
    def rename(model: onnx.ModelProto) -> None:
        model.graph.output[0].name = model.graph.node[-1].output[0] = "scores"

    with pytest.raises(BundleError, match="must give float 'logits'"):
        Session(changed(rename))
