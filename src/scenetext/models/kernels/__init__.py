"""Arithmetic on CPU where Paddle's own is slow: depthwise convolutions and CTC over thousands of classes.

Each is a Paddle operation with its gradient, for eager mode, float32 and CPU; graphs that are traced and GPUs keep
Paddle's own. What they save is in tests/benchmarks/LOG.md (`python tests/benchmarks/layers.py`).
"""
