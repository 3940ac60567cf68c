"""CPU kernels that take the place of slow ones of Paddle: depthwise convolution, and CTC over thousands of classes.

Each is a Paddle operation with its gradient, for eager mode, float32 and CPU. Traced graphs and GPUs keep Paddle's own
kernels. tests/benchmarks/LOG.md has the measurements (`python tests/benchmarks/layers.py`).
"""
