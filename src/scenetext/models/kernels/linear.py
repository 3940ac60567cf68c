"""Linear layers: the product with its bias in one pass, and the gradients without copies.

oneDNN computes the former. The gradients' products are those of Paddle's MKL, which is faster there
(tests/benchmarks/LOG.md has the figures), and whose result for one line does not depend on the number of lines.
"""

from __future__ import annotations

from functools import lru_cache

import paddle
from paddle import Tensor
from paddle.autograd import PyLayer

from scenetext.models.kernels import onednn

KEPT = 1024  # prepared products; every width of a batch needs its own


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x weight + bias; it can be differentiated once.

    Args:
        x: (..., in) float32.
        weight: (in, out) float32.
        bias: (out,) float32.

    Returns:
        (..., out) float32.
    """
    return _Linear.apply(x, weight, bias)


@lru_cache(KEPT)
def _prepared(rows: int, inside: int, out: int) -> onednn.Primitive:
    x, y = onednn.layout((rows, inside), (inside, 1)), onednn.layout((rows, out), (out, 1))
    weight, bias = onednn.layout((out, inside), (1, out)), onednn.layout((out,), (1,))
    free = [onednn.layout(shape) for shape in ((rows, inside), (out, inside))]
    layouts = {onednn.SRC: x, onednn.WEIGHTS: weight, onednn.BIAS: bias, onednn.DST: y}
    return onednn.Primitive("inner_product_forward", (onednn.FORWARD, *free, bias, onednn.layout((rows, out))), layouts)


class _Linear(PyLayer):
    @staticmethod
    def forward(ctx, x, weight, bias):
        x = x.contiguous()
        inside, out = weight.shape
        ctx.sizes = (x.size // inside, inside, out)
        y = paddle.empty([*x.shape[:-1], out], "float32")
        _prepared(*ctx.sizes).run({onednn.SRC: x, onednn.WEIGHTS: weight, onednn.BIAS: bias, onednn.DST: y})
        ctx.save_for_backward(x, weight)
        ctx.frozen = (x.stop_gradient, weight.stop_gradient, bias.stop_gradient)
        return y

    @staticmethod
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensor()
        gradient, (rows, inside, out) = gradient.contiguous(), ctx.sizes
        to_x = to_weight = to_bias = None
        if not ctx.frozen[0]:
            to_x = paddle.matmul(gradient, weight, transpose_y=True)
        if not ctx.frozen[1]:
            to_weight = paddle.matmul(x.reshape([rows, inside]), gradient.reshape([rows, out]), transpose_x=True)
        if not ctx.frozen[2]:
            # MKL adds up rows in several sums; NumPy's one sum after the other rounds five times as much
            to_bias = paddle.matmul(paddle.ones([1, rows]), gradient.reshape([rows, out])).reshape([out])
        return to_x, to_weight, to_bias
