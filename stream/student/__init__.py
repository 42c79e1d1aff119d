"""The hot path: encode, ONNX, decode, confidence. numpy, tokenizers, onnxruntime only."""

from stream.student.student import Student

__all__ = ["Student"]
