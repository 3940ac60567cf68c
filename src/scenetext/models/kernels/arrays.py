"""Paddle's memory as NumPy's, without a copy, and threads over it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import paddle
from paddle import Tensor


class _Memory:
    """A tensor's memory by NumPy's array interface; keeps the tensor alive."""

    def __init__(self, tensor: Tensor):
        self.tensor = tensor
        self.__array_interface__ = {
            "data": (tensor.data_ptr(), False),
            "shape": tuple(tensor.shape),
            "typestr": "<f4",
            "version": 3,
        }


def fit(*tensors: Tensor) -> bool:
    """Whether tensors are of the kind that is made faster here: eager mode, CPU memory, float32 and nothing halved."""
    return paddle.in_dynamic_mode() and all(t.place.is_cpu_place() and t.dtype == paddle.float32 for t in tensors)


def array_of(tensor: Tensor) -> np.ndarray:
    """A float32 tensor in CPU memory as an array over the same memory, in C order (copied only where it is not)."""
    return np.asarray(_Memory(tensor.detach().contiguous()))


def new_tensor(shape: tuple[int, ...]) -> tuple[Tensor, np.ndarray]:
    """A float32 tensor to be filled, and the array over its memory to fill it by.

    The memory is Paddle's, which begins at multiples of a cache line: sums of its own kernels depend on where they
    begin.
    """
    tensor = paddle.empty(shape, "float32")
    return tensor, array_of(tensor)


def threads() -> int:
    """The threads that Paddle computes with, which `cpu.prepare_process` or the user has set."""
    return max(1, int(os.environ.get("OMP_NUM_THREADS") or 1))


@cache
def _pool(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, "scenetext-kernel")


def in_parts(count: int, work: Callable[[int, int], object]) -> None:
    """Calls `work(start, end)` for as many parts of range(count) as there are threads, at the same time."""
    parts = max(1, min(threads(), count))
    edges = [count * i // parts for i in range(parts + 1)]
    waiting = [_pool(parts).submit(work, start, end) for start, end in zip(edges[1:-1], edges[2:], strict=True)]
    work(edges[0], edges[1])
    for future in waiting:
        future.result()


def in_threads(work: Callable[[int], object], items: Iterable[int]) -> list:
    """What `work` gives for each item, in order, computed by as many threads as there are."""
    return [work(item) for item in items] if threads() == 1 else list(_pool(threads()).map(work, items))
