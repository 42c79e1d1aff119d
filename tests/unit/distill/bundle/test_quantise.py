from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from distill.bundle.graph import Fp32Layers, Graph, Layers
from distill.bundle.quantise import Int8Layers, quantised

RNG = np.random.default_rng(0)


def _run(layers: Layers, x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    graph = Graph()
    output = layers.linear(graph, "x", weight, bias, name="layer")
    return _evaluate(graph, output, x, TensorProto.FLOAT)


def _evaluate(graph: Graph, output: str, x: np.ndarray, kind: int) -> np.ndarray:
    shape = ["batch", "tokens"] + ["width"] * (x.ndim - 2)
    made = helper.make_graph(
        graph.nodes,
        "one",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        list(graph.constants.values()),
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=10)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    result: np.ndarray = session.run(None, {"x": x})[0]
    return result


def _floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def test_a_linear_layer_in_int8_is_close_to_fp32() -> None:
    x, weight, bias = _floats(2, 5, 64), _floats(64, 48), _floats(48)

    exact = _run(Fp32Layers(), x, weight, bias)

    np.testing.assert_allclose(exact, x @ weight + bias, rtol=1e-4, atol=1e-4)
    assert np.abs(_run(Int8Layers(), x, weight, bias) - exact).mean() < 0.02 * np.abs(exact).mean()


def test_a_row_comes_out_the_same_whatever_stands_beside_it() -> None:
    x, weight, bias = _floats(4, 3, 64), _floats(64, 48), _floats(48)
    loud = x.copy()
    loud[1:] *= 1000

    alone = _run(Int8Layers(), x[:1], weight, bias)

    np.testing.assert_array_equal(_run(Int8Layers(), x, weight, bias)[:1], alone)
    np.testing.assert_array_equal(_run(Int8Layers(), loud, weight, bias)[:1], alone)


def test_the_largest_products_do_not_overflow() -> None:
    x, weight = np.ones((1, 1, 1024), np.float32), np.ones((1024, 8), np.float32)

    # Where 8-bit weights would be added in 16 bits this gives half of it.
    result = _run(Int8Layers(), x, weight, np.zeros(8, np.float32))

    np.testing.assert_allclose(result, 1024, rtol=1e-5)


def test_a_row_of_zeros_gives_the_bias() -> None:
    bias = _floats(8)

    result = _run(Int8Layers(), np.zeros((1, 2, 16), np.float32), _floats(16, 8), bias)

    np.testing.assert_array_equal(result, np.broadcast_to(bias, (1, 2, 8)))


def test_embeddings_in_int8_are_close_to_their_rows() -> None:
    table, ids = _floats(20, 16), np.array([[3, 0], [19, 3]])
    graph = Graph()
    output = Int8Layers().embedding(graph, "x", table, name="words")

    rows = _evaluate(graph, output, ids, TensorProto.INT64)

    assert np.abs(rows - table[ids]).max() <= np.abs(table).max() / 127


@pytest.mark.parametrize("axis", [0, 1])
def test_quantised_values_keep_to_their_limit_and_undo(axis: int) -> None:
    values = _floats(6, 4)
    values[0, :] = 0

    integers, scales = quantised(values, limit=63, axis=axis)

    assert np.abs(integers).max() == 63
    assert (np.abs(integers * scales - values) <= scales / 2 + 1e-7).all()
