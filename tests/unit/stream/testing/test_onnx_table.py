from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import numpy_helper

from stream.testing.onnx_table import highest_model, table_model


@pytest.mark.parametrize("write", [table_model, highest_model])
def test_the_onnx_package_reads_what_we_write(
    write: Callable[[npt.NDArray[np.float32]], bytes],
) -> None:
    table = np.random.default_rng(0).standard_normal((300, 7)).astype(np.float32)
    model = onnx.load_from_string(write(table))
    onnx.checker.check_model(model, full_check=True)
    halves = numpy_helper.to_array(model.graph.initializer[0])
    assert (halves + halves).tolist() == table.tolist()


def test_a_row_of_infinities_is_made_of_finite_weights() -> None:
    table = np.array([[1, -np.inf], [np.inf, 3]], dtype=np.float32)
    weights = onnx.load_from_string(table_model(table)).graph.initializer[0]
    halves = numpy_helper.to_array(weights)
    assert np.isfinite(halves).all()
    with np.errstate(over="ignore"):
        assert (halves + halves).tolist() == table.tolist()
