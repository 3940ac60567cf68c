"""Self-attention of one line after the other, forward and backward, by oneDNN's matrix products and softmax.

Paddle's layers write the weights of all lines, T x T numbers for every head, to memory and read them back several
times, and copy queries, keys and values into an order of their own. Here the products read them where the projection
has put them, the weights of one line stay in the processor's cache, and the backward pass computes them again, as in
Dao et al., FlashAttention, arXiv:2205.14135.
"""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import NamedTuple

import numpy as np
import paddle
from paddle import Tensor
from paddle.autograd import PyLayer

from scenetext.models.kernels import onednn

KEPT = 128
_SOFTMAX = 0x30000  # dnnl_softmax_accurate
_FLOAT = 4  # bytes
_lock = Lock()


def attention(qkv: Tensor, heads: int, scale: float) -> Tensor:
    """softmax(q k^T * scale) v for every head; it can be differentiated once.

    Args:
        qkv: (B, T, 3 * D) float32, queries, keys and values of all heads, D / heads numbers each.
        heads: heads.
        scale: factor on q k^T.

    Returns:
        (B, T, D) float32.
    """
    return _Attention.apply(qkv, heads, scale)


class _Line(NamedTuple):
    """The prepared operations on one line, and the layouts' sizes."""

    logits: onednn.Primitive  # q k^T * scale
    softmax: onednn.Primitive
    mixed: onednn.Primitive  # weights v
    to_weights: onednn.Primitive  # gradient v^T
    to_logits: onednn.Primitive
    to_values: onednn.Primitive  # weights^T gradient
    to_queries: onednn.Primitive  # logits' gradient k * scale
    to_keys: onednn.Primitive  # logits' gradient^T q * scale


@lru_cache(KEPT)
def _prepared(times: int, heads: int, width: int, scale: float) -> _Line:
    dim = heads * width
    part, turned = (heads, times, width), (heads, width, times)
    given = onednn.layout(part, (width, 3 * dim, 1))  # q, k or v inside qkv
    given_turned = onednn.layout(turned, (width, 1, 3 * dim))
    out = onednn.layout(part, (width, dim, 1))
    square = (heads, times, times)
    weights = onednn.layout(square, (times * times, times, 1))
    weights_turned = onednn.layout(square, (times * times, 1, times))
    softmax = (onednn.FORWARD, _SOFTMAX, weights, weights, 2)
    forward = onednn.Primitive("softmax_forward", softmax, {onednn.SRC: weights, onednn.DST: weights})
    backward = onednn.Primitive(
        "softmax_backward",
        (_SOFTMAX, weights, weights, weights, 2, forward.description),
        {onednn.DST: weights, onednn.DIFF_DST: weights, onednn.DIFF_SRC: weights},
    )
    return _Line(
        logits=onednn.product(given, given_turned, weights, scale),
        softmax=forward,
        mixed=onednn.product(weights, given, out),
        to_weights=onednn.product(out, given_turned, weights),
        to_logits=backward,
        to_values=onednn.product(weights_turned, out, given),
        to_queries=onednn.product(weights, given, given, scale),
        to_keys=onednn.product(weights_turned, given, given, scale),
    )


class _Buffers:
    """Two squares of T x T numbers per head, used by one line after the other."""

    def __init__(self):
        self.memory = np.empty(0, np.float32)

    def two(self, numbers: int) -> tuple[int, int]:
        """The addresses of two buffers of so many numbers."""
        size = numbers + -numbers % onednn.ALIGNMENT
        if self.memory.size < 2 * size + onednn.ALIGNMENT:
            self.memory = np.empty(2 * size + onednn.ALIGNMENT, np.float32)
        start = self.memory.ctypes.data
        start += -start % onednn.ALIGNMENT
        return start, start + size * _FLOAT


_buffers = _Buffers()


def _weights(line: _Line, queries: int, dim: int, to: int) -> None:
    """Computes the attention weights of the line whose queries are at an address, in place."""
    line.logits.run({onednn.SRC: queries, onednn.WEIGHTS: queries + dim * _FLOAT, onednn.DST: to})
    line.softmax.run({onednn.SRC: to, onednn.DST: to})


class _Attention(PyLayer):
    @staticmethod
    def forward(ctx, qkv, heads, scale):
        qkv = qkv.contiguous()
        batch, times, triple = qkv.shape
        dim = triple // 3
        y = paddle.empty([batch, times, dim], "float32")
        ctx.line = line = _prepared(times, heads, dim // heads, scale)
        ctx.save_for_backward(qkv)
        ctx.heads = heads
        with _lock:
            weights, _ = _buffers.two(heads * times * times)
            for b in range(batch):
                queries = qkv.data_ptr() + b * times * triple * _FLOAT
                out = y.data_ptr() + b * times * dim * _FLOAT
                _weights(line, queries, dim, weights)
                values = queries + 2 * dim * _FLOAT
                line.mixed.run({onednn.SRC: weights, onednn.WEIGHTS: values, onednn.DST: out})
        return y

    @staticmethod
    def backward(ctx, gradient):
        (qkv,) = ctx.saved_tensor()
        gradient, line = gradient.contiguous(), ctx.line
        batch, times, triple = qkv.shape
        dim = triple // 3
        result = paddle.empty(qkv.shape, "float32")
        step = dim * _FLOAT
        with _lock:
            weights, slopes = _buffers.two(ctx.heads * times * times)
            for b in range(batch):
                queries = qkv.data_ptr() + b * times * triple * _FLOAT
                keys, values = queries + step, queries + 2 * step
                to_queries = result.data_ptr() + b * times * triple * _FLOAT
                to_keys, to_values = to_queries + step, to_queries + 2 * step
                given = gradient.data_ptr() + b * times * step
                _weights(line, queries, dim, weights)
                line.to_values.run({onednn.SRC: weights, onednn.WEIGHTS: given, onednn.DST: to_values})
                line.to_weights.run({onednn.SRC: given, onednn.WEIGHTS: values, onednn.DST: slopes})
                line.to_logits.run({onednn.DST: weights, onednn.DIFF_DST: slopes, onednn.DIFF_SRC: slopes})
                line.to_queries.run({onednn.SRC: slopes, onednn.WEIGHTS: keys, onednn.DST: to_queries})
                line.to_keys.run({onednn.SRC: slopes, onednn.WEIGHTS: queries, onednn.DST: to_keys})
        return result
