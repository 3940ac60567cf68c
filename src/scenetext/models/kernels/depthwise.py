"""Depthwise convolution: one filter per channel, no sum over channels.

Paddle's CPU kernel computes number by number, at 2 to 3 thousand million multiplications a second. Here whole rows are
multiplied by one weight at a time, which compilers turn into vector instructions: 4 to 6 times as fast, the gradient 6
to 10 times (tests/benchmarks/LOG.md). Each channel belongs to one thread, so sums do not depend on the number of
threads.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from paddle import Tensor
from paddle.autograd import PyLayer

from scenetext.models.kernels.arrays import array_of, in_parts, is_eager_float32_on_cpu, new_tensor

Pair = tuple[int, int]
# Vector instructions need sums in another order. Unlike fastmath=True, these flags keep a NaN a NaN.
REORDERED = {"reassoc", "contract", "nsz"}


def is_supported(x: Tensor, weight: Tensor, groups: int, dilation: object) -> bool:
    """Whether `depthwise_conv2d` computes this convolution: one filter per channel, float32, CPU, eager mode."""
    whole = groups == x.shape[1] == weight.shape[0] > 1 and tuple(np.ravel(dilation)) in {(1,), (1, 1)}
    return whole and is_eager_float32_on_cpu(x, weight)


def depthwise_conv2d(x: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Tensor:
    """Convolves every channel with its own filter; it can be differentiated once.

    Args:
        x: (B, C, H, W) float32.
        weight: (C, 1, h, w) float32.
        stride: (down, right).
        padding: zeros added at (top and bottom, left and right).

    Returns:
        (B, C, H', W') float32.
    """
    return _DepthwiseConv2D.apply(x, weight, stride, padding)


class _DepthwiseConv2D(PyLayer):
    @staticmethod
    def forward(ctx, x, weight, stride, padding):
        ctx.save_for_backward(x, weight)
        ctx.geometry = (*stride, *padding)
        ctx.frozen = (x.stop_gradient, weight.stop_gradient)
        x, weight = array_of(x), array_of(weight)
        height, width = (
            (size + 2 * pad - kernel) // step + 1
            for size, pad, kernel, step in zip(x.shape[2:], padding, weight.shape[2:], stride, strict=True)
        )
        result, y = new_tensor((*x.shape[:2], height, width))
        in_parts(x.shape[1], lambda start, end: _convolve(x, weight, y, *ctx.geometry, start, end))
        return result

    @staticmethod
    def backward(ctx, gradient):
        x, weight = (array_of(saved) for saved in ctx.saved_tensor())
        gradient = array_of(gradient)
        (x_result, x_gradient), (weight_result, weight_gradient) = new_tensor(x.shape), new_tensor(weight.shape)
        in_parts(
            x.shape[1],
            lambda start, end: _differentiate(
                x, weight, gradient, x_gradient, weight_gradient, *ctx.geometry, start, end
            ),
        )
        return tuple(
            None if frozen else result for frozen, result in zip(ctx.frozen, (x_result, weight_result), strict=True)
        )


@njit(cache=True, nogil=True)
def _reach(offset: int, step: int, size: int, outputs: int) -> Pair:
    """The range of outputs, from the first to one after the last, whose input `output * step + offset` is in `size`."""
    return max(0, (-offset + step - 1) // step), min(outputs, (size - 1 - offset) // step + 1)


@njit(cache=True, nogil=True, fastmath=REORDERED)
def _convolve(x, weight, y, step_y, step_x, pad_y, pad_x, start, end):
    """Fills channels start to end of y."""
    for c in range(start, end):
        for b in range(x.shape[0]):
            for out in range(y.shape[2]):
                sums = y[b, c, out]
                sums[:] = 0
                for ky in range(weight.shape[2]):
                    row = out * step_y + ky - pad_y
                    if row < 0 or row >= x.shape[2]:
                        continue
                    for kx in range(weight.shape[3]):
                        factor, offset = weight[c, 0, ky, kx], kx - pad_x
                        first, last = _reach(offset, step_x, x.shape[3], y.shape[3])
                        if first >= last:
                            continue
                        into = sums[first:last]
                        if step_x == 1:
                            values = x[b, c, row, first + offset : last + offset]
                            for i in range(into.size):
                                into[i] += factor * values[i]
                        else:
                            strided = x[b, c, row, first * step_x + offset :: step_x]
                            for i in range(into.size):
                                into[i] += factor * strided[i]


@njit(cache=True, nogil=True, fastmath=REORDERED)
def _differentiate(x, weight, gradient, x_gradient, weight_gradient, step_y, step_x, pad_y, pad_x, start, end):
    """Fills channels start to end of both gradients."""
    for c in range(start, end):
        weight_gradient[c] = 0
        for b in range(x.shape[0]):
            x_gradient[b, c] = 0
            for out in range(gradient.shape[2]):
                for ky in range(weight.shape[2]):
                    row = out * step_y + ky - pad_y
                    if row < 0 or row >= x.shape[2]:
                        continue
                    for kx in range(weight.shape[3]):
                        factor, offset = weight[c, 0, ky, kx], kx - pad_x
                        first, last = _reach(offset, step_x, x.shape[3], gradient.shape[3])
                        if first >= last:
                            continue
                        given = gradient[b, c, out, first:last]
                        total = np.float32(0)
                        if step_x == 1:
                            values = x[b, c, row, first + offset : last + offset]
                            into = x_gradient[b, c, row, first + offset : last + offset]
                            for i in range(given.size):
                                into[i] += factor * given[i]
                                total += given[i] * values[i]
                        else:
                            strided = x[b, c, row, first * step_x + offset :: step_x]
                            strided_into = x_gradient[b, c, row, first * step_x + offset :: step_x]
                            for i in range(given.size):
                                strided_into[i] += factor * given[i]
                                total += given[i] * strided[i]
                        weight_gradient[c, 0, ky, kx] += total
