from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from stream.testing.onnx_table import table_model


def test_the_onnx_package_reads_what_we_write() -> None:
    table = np.random.default_rng(0).standard_normal((300, 7)).astype(np.float32)
    model = onnx.load_from_string(table_model(table))
    onnx.checker.check_model(model, full_check=True)
    assert numpy_helper.to_array(model.graph.initializer[0]).tolist() == table.tolist()
