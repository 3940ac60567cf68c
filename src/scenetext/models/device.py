"""Where Paddle computes, and the seed of its random numbers."""

from __future__ import annotations

import random


def seed_everything(seed: int) -> None:
    """Seeds Python's, NumPy's and Paddle's random numbers."""
    import numpy
    import paddle

    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    paddle.seed(seed)


def choose_device(use_gpu: bool) -> str:
    """Makes Paddle compute on a GPU if `use_gpu` allows it and there is one, else on the CPU; returns which."""
    import paddle

    gpu = use_gpu and paddle.is_compiled_with_cuda() and paddle.device.cuda.device_count() > 0
    if not gpu:
        paddle.set_device("cpu")
    return paddle.get_device()
