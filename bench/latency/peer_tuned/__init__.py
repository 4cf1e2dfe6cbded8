"""A tuned assembly: Starlette, ONNX Runtime int8, an inverted-file index at equal recall, the fastest trees, Redis."""
