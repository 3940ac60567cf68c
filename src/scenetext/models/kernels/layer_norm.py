"""Layer normalisation over the last axis by oneDNN, forward and backward."""

from __future__ import annotations

from ctypes import c_float
from functools import lru_cache

import paddle
from paddle import Tensor
from paddle.autograd import PyLayer

from scenetext.models.kernels import onednn

KEPT = 512
_SCALE_AND_SHIFT = 2 | 4  # dnnl_use_scale, dnnl_use_shift


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    """(x - mean) / sqrt(variance + epsilon) * weight + bias, over the last axis; it can be differentiated once.

    Args:
        x: (..., D) float32.
        weight, bias: (D,) float32.
        epsilon: added to the variance.

    Returns:
        (..., D) float32.
    """
    return _LayerNorm.apply(x, weight, bias, epsilon)


@lru_cache(KEPT)
def _prepared(rows: int, width: int, epsilon: float, part: str) -> onednn.Primitive:
    table, row = onednn.layout((rows, width), (width, 1)), onednn.layout((width,), (1,))
    statistics = onednn.layout((rows,), (1,))
    forward = (onednn.FORWARD, table, table, statistics, c_float(epsilon), _SCALE_AND_SHIFT)
    layouts = {onednn.SRC: table, onednn.MEAN: statistics, onednn.VARIANCE: statistics}
    layouts |= {onednn.SCALE: row, onednn.SHIFT: row}
    if part == "forward":
        return onednn.Primitive("layer_normalization_forward", forward, layouts | {onednn.DST: table})
    hint = _prepared(rows, width, epsilon, "forward").description
    layouts |= {onednn.DIFF_DST: table, onednn.DIFF_SRC: table, onednn.DIFF_SCALE: row, onednn.DIFF_SHIFT: row}
    options = (onednn.BACKWARD, table, table, table, statistics, c_float(epsilon), _SCALE_AND_SHIFT, hint)
    return onednn.Primitive("layer_normalization_backward", options, layouts)


class _LayerNorm(PyLayer):
    @staticmethod
    def forward(ctx, x, weight, bias, epsilon):
        x = x.contiguous()
        width = x.shape[-1]
        rows = x.size // width
        y = paddle.empty(x.shape, "float32")
        mean, variance = paddle.empty([rows], "float32"), paddle.empty([rows], "float32")
        tensors = {onednn.SRC: x, onednn.SCALE: weight, onednn.MEAN: mean, onednn.VARIANCE: variance}
        tensors |= {onednn.SHIFT: bias, onednn.DST: y}
        _prepared(rows, width, epsilon, "forward").run(tensors)
        ctx.save_for_backward(x, weight, bias, mean, variance)
        ctx.sizes = (rows, width, epsilon)
        ctx.frozen = (x.stop_gradient, weight.stop_gradient, bias.stop_gradient)
        return y

    @staticmethod
    def backward(ctx, gradient):
        x, weight, bias, mean, variance = ctx.saved_tensor()
        gradient = gradient.contiguous()
        results = [paddle.empty(t.shape, "float32") for t in (x, weight, weight)]
        tensors = {
            onednn.SRC: x,
            onednn.SCALE: weight,
            onednn.SHIFT: bias,
            onednn.MEAN: mean,
            onednn.VARIANCE: variance,
        }
        tensors |= {onednn.DIFF_DST: gradient, onednn.DIFF_SRC: results[0]}
        tensors |= {onednn.DIFF_SCALE: results[1], onednn.DIFF_SHIFT: results[2]}
        _prepared(*ctx.sizes, "backward").run(tensors)
        return tuple(None if frozen else result for frozen, result in zip(ctx.frozen, results, strict=True))
