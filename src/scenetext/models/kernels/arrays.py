"""NumPy arrays over the memory of Paddle tensors, without a copy, and threads that work on them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import numpy as np
import paddle
from paddle import Tensor


class _Memory:
    """A tensor's memory through NumPy's array interface; it keeps the tensor alive."""

    def __init__(self, tensor: Tensor):
        self.tensor = tensor
        self.__array_interface__ = {
            "data": (tensor.data_ptr(), False),
            "shape": tuple(tensor.shape),
            "typestr": "<f4",
            "version": 3,
        }


def is_eager_float32_on_cpu(*tensors: Tensor) -> bool:
    """Whether the kernels can compute with these tensors: eager mode, all of them float32 in CPU memory."""
    return paddle.in_dynamic_mode() and all(t.place.is_cpu_place() and t.dtype == paddle.float32 for t in tensors)


def array_of(tensor: Tensor) -> np.ndarray:
    """An array over the memory of a float32 tensor on CPU, in C order; a tensor in another order is copied.

    Args:
        tensor: of any shape.

    Returns:
        float32 of the same shape.
    """
    return np.asarray(_Memory(tensor.detach().contiguous()))


def new_tensor(shape: tuple[int, ...]) -> tuple[Tensor, np.ndarray]:
    """A new float32 tensor, not yet filled, and an array over its memory through which it is filled.

    Paddle allocates the memory, so it begins at a multiple of a cache line, as the memory of all its tensors does. The
    rounding of sums in Paddle's kernels depends on that.

    Args:
        shape: of both.
    """
    tensor = paddle.empty(shape, "float32")
    return tensor, array_of(tensor)


def threads() -> int:
    """The number of threads that Paddle computes with, from OMP_NUM_THREADS (see `system.process`)."""
    return max(1, int(os.environ.get("OMP_NUM_THREADS") or 1))


@cache
def _pool(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, "scenetext-kernel")


def in_parts(count: int, work: Callable[[int, int], object]) -> None:
    """Splits range(count) into one part per thread and works on all parts at the same time.

    Args:
        count: size of the range.
        work: called with the start and the end of each part.
    """
    parts = max(1, min(threads(), count))
    edges = [count * i // parts for i in range(parts + 1)]
    waiting = [_pool(parts).submit(work, start, end) for start, end in pairwise(edges[1:])]
    work(edges[0], edges[1])
    for future in waiting:
        future.result()


def in_threads(work: Callable[[int], object], items: Iterable[int]) -> list:
    """Applies a function to items in parallel.

    Args:
        work: the function.
        items: its arguments.

    Returns:
        Its results, in the order of the items.
    """
    return [work(item) for item in items] if threads() == 1 else list(_pool(threads()).map(work, items))
