"""CPU kernels that take the place of slow ones of Paddle.

Depthwise convolution and CTC over thousands of classes are compiled by Numba; convolution, linear layers, attention,
layer normalisation, GELU and Swish are oneDNN's (`onednn`).

Each is a Paddle operation with its gradient, for eager mode, float32 and CPU; oneDNN's only train. Traced graphs and
GPUs keep Paddle's own kernels. SCENETEXT_ONEDNN=0 in the environment switches oneDNN off. tests/benchmarks/LOG.md has
the measurements (`python tests/benchmarks/layers.py`).
"""
