"""Activations by oneDNN, forward and backward: GELU, Swish and Hardswish."""

from __future__ import annotations

from ctypes import c_float
from functools import lru_cache

import paddle
from paddle import Tensor
from paddle.autograd import PyLayer

from scenetext.models.kernels import onednn

KEPT = 512
ALGORITHMS = {"gelu": (0x31, 0.0, 0.0), "swish": (0x2C, 1.0, 0.0)}
"""dnnl_alg_kind_t, alpha and beta of each activation."""


def activate(x: Tensor, name: str) -> Tensor:
    """An activation of every number; it can be differentiated once.

    Args:
        x: float32 of any shape.
        name: one of ALGORITHMS.

    Returns:
        float32 of the same shape and layout.
    """
    return _Activation.apply(x, name)


@lru_cache(KEPT)
def _prepared(name: str, count: int, part: str) -> onednn.Primitive:
    kind, alpha, beta = ALGORITHMS[name]
    row = onednn.layout((count,), (1,))
    forward = (onednn.FORWARD, kind, row, row, c_float(alpha), c_float(beta))
    if part == "forward":
        return onednn.Primitive("eltwise_forward", forward, {onednn.SRC: row, onednn.DST: row})
    hint = _prepared(name, count, "forward").description
    options = (kind, row, row, row, c_float(alpha), c_float(beta), hint)
    layouts = {onednn.SRC: row, onednn.DIFF_DST: row, onednn.DIFF_SRC: row}
    return onednn.Primitive("eltwise_backward", options, layouts)


class _Activation(PyLayer):
    @staticmethod
    def forward(ctx, x, name):
        x = x.contiguous()
        y = paddle.empty(x.shape, "float32")
        _prepared(name, x.size, "forward").run({onednn.SRC: x, onednn.DST: y})
        ctx.save_for_backward(x)
        ctx.name = name
        return y

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensor()
        gradient = gradient.contiguous()
        result = paddle.empty(x.shape, "float32")
        tensors = {onednn.SRC: x, onednn.DIFF_DST: gradient, onednn.DIFF_SRC: result}
        _prepared(ctx.name, x.size, "backward").run(tensors)
        return result
