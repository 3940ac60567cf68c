"""The device that Paddle computes on, and the seed of random numbers."""

from __future__ import annotations

import random


def seed_everything(seed: int) -> None:
    """Seeds the random numbers of Python, NumPy and Paddle.

    Args:
        seed: at least 0; NumPy uses it modulo 2 ** 32.
    """
    import numpy
    import paddle

    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    paddle.seed(seed)


def choose_device(use_gpu: bool) -> str:
    """Makes Paddle compute on a GPU if there is one and it is allowed, else on the CPU.

    Args:
        use_gpu: whether a GPU is allowed.

    Returns:
        Paddle's name of the device, "cpu" or "gpu:0".
    """
    import paddle

    gpu = use_gpu and paddle.is_compiled_with_cuda() and paddle.device.cuda.device_count() > 0
    if not gpu:
        paddle.set_device("cpu")
    return paddle.get_device()
