"""The ONNX model behind a function: token ids in, logits out, on the calling thread."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from schemas.errors import BundleError, TaggingError

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUT = "logits"

Int64 = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class Session:
    """A loaded model; `run` may be called from several threads at once.

    Raises `BundleError` when ONNX Runtime refuses the model or its inputs and outputs
    are not those of the contract.
    """

    def __init__(self, model: bytes) -> None:
        try:
            self._session = ort.InferenceSession(
                model, _options(), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # noqa: BLE001 - the binding raises a dozen unrelated classes
            raise BundleError(f"student.onnx does not load: {_first_line(error)}") from None
        self._check()

    def run(self, ids: Int64, types: Int64) -> Floats:
        """Logits float32 of windows of one length, int64 [windows, tokens].

        Their shape is the head's: [windows, tokens, tags] or [windows, labels].
        Raises `TaggingError` when the model fails.
        """
        feeds = dict(zip(INPUTS, (ids, np.ones_like(ids), types), strict=True))
        try:
            logits: Floats = self._session.run([OUTPUT], feeds)[0]
        except Exception as error:  # noqa: BLE001 - as above
            raise TaggingError(f"the student failed: {_first_line(error)}") from None
        return logits

    def _check(self) -> None:
        inputs = {value.name: value.type for value in self._session.get_inputs()}
        outputs = {value.name: value.type for value in self._session.get_outputs()}
        if inputs != dict.fromkeys(INPUTS, "tensor(int64)"):
            raise BundleError(f"student.onnx must take int64 {list(INPUTS)}, not {inputs}")
        if outputs.get(OUTPUT) != "tensor(float)":
            raise BundleError(f"student.onnx must give float {OUTPUT!r}, not {outputs}")


def _options() -> Any:
    options = ort.SessionOptions()
    # Threads are the Tagger's to give: runs side by side beat threads within a run.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # Shapes vary with the texts: an arena keeps the largest of each, and so do patterns.
    # Without them a swapped-out student gives its memory back, at no cost.
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    # By their first bytes they might be a file of ONNX Runtime's own format, which nobody checks.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.log_severity_level = 3  # errors; what matters arrives as exceptions
    return options


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
