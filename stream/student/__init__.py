"""The hot path: encode, ONNX, decode, confidence. numpy, tokenizers, onnxruntime only."""
