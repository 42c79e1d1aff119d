"""From a trained network to a bundle that serves: ONNX graph, int8, parity."""
