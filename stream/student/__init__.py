"""The hot path: encode, ONNX, decode, confidence. numpy, tokenizers, onnxruntime only."""

from stream.student.bundle import Bundle, read_bundle
from stream.student.student import Student

__all__ = ["Bundle", "Student", "read_bundle"]
