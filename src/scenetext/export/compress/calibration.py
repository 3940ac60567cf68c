"""The Hessians of a network's layers, from the inputs that the layers get on real lines.

They say how much the output of a convolution or linear layer changes when its weights do (Frantar et al.,
arXiv:2210.17323, section 3.1: H = 2 X Xᵀ).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.nn.layer.layers import HookRemoveHelper

from scenetext.export.compress.quantised_weights import QuantisableWeight
from scenetext.export.compress.rounding import InputHessian

MAX_POSITIONS = 2048  # of a layer's input that a batch contributes; neighbouring positions are much alike


def input_hessians(
    model: nn.Layer,
    weights: Sequence[QuantisableWeight],
    batches: Sequence[np.ndarray],
    progress: Callable[[Iterable], Iterable] = iter,
) -> dict[str, InputHessian]:
    """The Hessian of each layer's inputs.

    Args:
        model: the network, in evaluation mode.
        weights: of which layers; grouped convolutions and recurrent layers have no single matrix and are left out.
        batches: (B, 3, H, W) float32 each.
        progress: wraps the iteration over batches.

    Returns:
        By the weight's key, inputs in the order of `quantisation.as_rows`; up to a factor, since only the ratios of
        its entries are used.
    """
    rng = np.random.default_rng(0)
    sums: dict[str, np.ndarray] = {}
    units: dict[str, np.float32] = {}

    def watch(weight: QuantisableWeight) -> HookRemoveHelper:
        def hook(layer: nn.Layer, inputs: tuple[Tensor, ...]) -> None:
            rows = input_rows(inputs[0].numpy(), layer, rng)
            # products of large inputs could overflow
            rows = rows / units.setdefault(weight.key, max(np.abs(rows).max(), np.float32(1e-30)))
            sums[weight.key] = sums.get(weight.key, 0.0) + rows.T @ rows

        return weight.layer.register_forward_pre_hook(hook)

    hooks = [watch(weight) for weight in weights if has_input_hessian(weight)]
    try:
        with paddle.no_grad():
            for batch in progress(batches):
                model(paddle.to_tensor(batch))
    finally:
        for hook in hooks:
            hook.remove()
    means = {key: max(np.trace(total) / len(total), np.float32(1e-30)) for key, total in sums.items()}
    return {key: InputHessian(total / means[key]) for key, total in sums.items()}


def has_input_hessian(weight: QuantisableWeight) -> bool:
    """Whether a weight is one matrix that is multiplied with all of the layer's inputs."""
    return not weight.recurrent and getattr(weight.layer, "_groups", 1) == 1


def input_rows(x: np.ndarray, layer: nn.Layer, rng: np.random.Generator) -> np.ndarray:
    """The vectors that a convolution or linear layer multiplies with its weight's rows, float32 (positions, inputs).

    There are at most MAX_POSITIONS of them, drawn by `rng`: layers of one geometry and one generator state give the
    same positions.
    """
    return _patches(x, layer, rng) if isinstance(layer, nn.Conv2D) else _sample(x.reshape(-1, x.shape[-1]), rng)


def _sample(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rows if len(rows) <= MAX_POSITIONS else rows[rng.choice(len(rows), MAX_POSITIONS, replace=False)]


def _patches(x: np.ndarray, layer: nn.Conv2D, rng: np.random.Generator) -> np.ndarray:
    """(B, C, H, W) → (positions, C * h * w): what the kernel covers at some of its positions."""
    kernel, stride = layer._kernel_size, _pair(layer._stride)
    dilation = _pair(layer._dilation)
    top, bottom, left, right = _padding(x.shape[2:], kernel, stride, dilation, layer._padding)
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    windows = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))  # (B, C, H', W', reach)
    windows = windows[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]].transpose(0, 2, 3, 1, 4, 5)
    batch, high, wide = windows.shape[:3]
    count = min(MAX_POSITIONS, batch * high * wide)
    chosen = np.unravel_index(rng.choice(batch * high * wide, count, replace=False), (batch, high, wide))
    return np.ascontiguousarray(windows[chosen]).reshape(count, -1)


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def _padding(
    size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    padding: int | str | Sequence[int],
) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of Paddle's padding: a number, two, four, "SAME" or "VALID"."""
    if isinstance(padding, str):
        if padding.upper() == "VALID":
            return 0, 0, 0, 0
        sides = []
        for length, k, s, d in zip(size, kernel, stride, dilation, strict=True):
            total = max(0, (math.ceil(length / s) - 1) * s + d * (k - 1) + 1 - length)
            sides += [total // 2, total - total // 2]
        return tuple(sides)
    if not isinstance(padding, int) and len(padding) == 4:
        return tuple(padding)
    high, wide = _pair(padding)
    return high, high, wide, wide
