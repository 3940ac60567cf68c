"""Convolutions by oneDNN, forward and backward, with their bias."""

from __future__ import annotations

import math
from ctypes import c_void_p
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import paddle
from paddle import Tensor
from paddle.autograd import PyLayer

from scenetext.models.kernels import onednn
from scenetext.models.kernels.arrays import new_tensor

Pair = tuple[int, int]
KEPT = 2048  # prepared convolutions; every width of a batch needs its own
_DIRECT = 1  # dnnl_convolution_direct
_FLOAT = 4  # bytes


class Geometry(NamedTuple):
    """What a convolution is prepared for."""

    x: tuple[int, ...]
    weight: tuple[int, ...]
    has_bias: bool
    channels_last: bool
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int

    @property
    def y(self) -> tuple[int, int, int, int]:
        """The shape of the result."""
        height, width = (
            (size + 2 * pad - (gap * (kernel - 1) + 1)) // step + 1
            for size, pad, gap, kernel, step in zip(
                self.x[2:], self.padding, self.dilation, self.weight[2:], self.stride, strict=True
            )
        )
        return self.x[0], self.weight[0], height, width


def strides_of(shape: tuple[int, ...], channels_last: bool) -> tuple[int, ...]:
    """The strides of dense memory of a map (B, C, H, W)."""
    _, channels, height, width = shape
    if channels_last:
        return height * width * channels, 1, width * channels, channels
    return channels * height * width, height * width, width, 1


def _weight_layouts(g: Geometry) -> tuple[c_void_p, c_void_p]:
    """How the weights lie, and what oneDNN may turn that into; groups are an axis of their own."""
    out, inside, height, width = g.weight
    shape = (out, inside, height, width) if g.groups == 1 else (g.groups, out // g.groups, inside, height, width)
    strides, step = [], 1
    for size in reversed(shape):
        strides.insert(0, step)
        step *= size
    return onednn.layout(shape, tuple(strides)), onednn.layout(shape)


@lru_cache(KEPT)
def _prepared(g: Geometry, part: str) -> onednn.Primitive:
    """The primitive of one part: "forward", "backward_data" or "backward_weights"."""
    x, y = (onednn.layout(shape, strides_of(shape, g.channels_last)) for shape in (g.x, g.y))
    weight, free_weight = _weight_layouts(g)
    bias = onednn.layout((g.weight[0],), (1,)) if g.has_bias else None
    # channels last is a layout that oneDNN computes in; instead of channels first it chooses a layout itself
    free_x, free_y = (x, y) if g.channels_last else (onednn.layout(g.x), onednn.layout(g.y))
    steps = [onednn.integers(v) for v in (g.stride, [d - 1 for d in g.dilation], g.padding, g.padding)]
    forward = (onednn.FORWARD, _DIRECT, free_x, free_weight, bias, free_y, *steps)
    if part == "forward":
        layouts = {onednn.SRC: x, onednn.WEIGHTS: weight, onednn.DST: y}
        return onednn.Primitive("convolution_forward", forward, layouts | ({onednn.BIAS: bias} if bias else {}))
    hint = _prepared(g, "forward").description
    if part == "backward_data":
        layouts = {onednn.DIFF_DST: y, onednn.WEIGHTS: weight, onednn.DIFF_SRC: x}
        return onednn.Primitive(
            "convolution_backward_data", (_DIRECT, free_x, free_weight, free_y, *steps, hint), layouts
        )
    layouts = {onednn.SRC: x, onednn.DIFF_DST: y, onednn.DIFF_WEIGHTS: weight}
    layouts |= {onednn.DIFF_BIAS: bias} if bias else {}
    options = (_DIRECT, free_x, free_weight, bias, free_y, *steps, hint)
    return onednn.Primitive("convolution_backward_weights", options, layouts)


def _map_like(shape: tuple[int, ...], channels_last: bool) -> Tensor:
    """A new map (B, C, H, W), not yet filled."""
    if not channels_last:
        return paddle.empty(shape, "float32")
    batch, channels, height, width = shape
    return paddle.empty([batch, height, width, channels], "float32").transpose([0, 3, 1, 2])


def _is_channels_last(x: Tensor) -> bool:
    return not x.is_contiguous() and tuple(x.strides) == strides_of(tuple(x.shape), True)


def _dense(x: Tensor, channels_last: bool) -> Tensor:
    """The same numbers in the wanted layout, the tensor itself if it has it."""
    if not channels_last:
        return x.contiguous()
    if tuple(x.strides) == strides_of(tuple(x.shape), True):
        return x
    return x.transpose([0, 2, 3, 1]).contiguous().transpose([0, 3, 1, 2])


def is_worth_it(weight: Tensor) -> bool:
    """Whether oneDNN is faster at a convolution: not at one with 1x1 weights, which is a product of Paddle's MKL."""
    return tuple(weight.shape[2:]) != (1, 1)


def conv2d(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Tensor:
    """A convolution; it can be differentiated once. The result lies in memory as x does, channels first or last.

    Args:
        x: (B, C, H, W) float32.
        weight: (out, C / groups, h, w) float32.
        bias: (out,) float32, or None.
        stride: (down, right).
        padding: zeros added at (top and bottom, left and right).
        dilation: distance between the pixels that neighbouring weights see, (down, right).
        groups: groups of channels.

    Returns:
        (B, out, H', W') float32.
    """
    last = _is_channels_last(x)
    geometry = Geometry(tuple(x.shape), tuple(weight.shape), bias is not None, last, stride, padding, dilation, groups)
    return _Convolution.apply(x, weight, *([] if bias is None else [bias]), geometry=geometry)


class _Convolution(PyLayer):
    @staticmethod
    def forward(ctx, x, weight, bias=None, *, geometry):
        x, weight = _dense(x, geometry.channels_last), weight.contiguous()
        y = _map_like(geometry.y, geometry.channels_last)
        tensors = {onednn.SRC: x, onednn.WEIGHTS: weight, onednn.DST: y}
        if bias is not None:
            tensors[onednn.BIAS] = bias
        _prepared(geometry, "forward").run(tensors)
        ctx.save_for_backward(x, weight)
        ctx.geometry = geometry
        ctx.frozen = (x.stop_gradient, weight.stop_gradient, bias is None or bias.stop_gradient)
        return y

    @staticmethod
    def backward(ctx, gradient):
        g = ctx.geometry
        x, weight = ctx.saved_tensor()
        gradient = _dense(gradient, g.channels_last)
        results = [None, None, *([None] if g.has_bias else [])]
        if not ctx.frozen[0]:
            results[0] = _map_like(g.x, g.channels_last)
            tensors = {onednn.DIFF_DST: gradient, onednn.WEIGHTS: weight}
            _prepared(g, "backward_data").run(tensors | {onednn.DIFF_SRC: results[0]})
        if not all(ctx.frozen[1:]):
            found = _weight_gradients(g, x, gradient)
            results[1:] = (None if frozen else tensor for frozen, tensor in zip(ctx.frozen[1:], found, strict=False))
        return tuple(results)


def _weight_gradients(g: Geometry, x: Tensor, gradient: Tensor) -> list[Tensor]:
    """The gradients of the weights, and of the bias if there is one: each image's for itself, and their sum in float64.

    oneDNN adds up all pixels of all images one after the other in float32, which rounds four times as much as Paddle.
    """
    one = g._replace(x=(1, *g.x[1:]))
    shapes = [g.weight, *([(g.weight[0],)] if g.has_bias else [])]
    results, arrays = zip(*(new_tensor(shape) for shape in shapes), strict=True)
    sums = [np.zeros(shape) for shape in shapes]
    tensors = dict(zip((onednn.DIFF_WEIGHTS, onednn.DIFF_BIAS), results, strict=False))
    for image in range(g.x[0]):
        tensors[onednn.SRC] = x.data_ptr() + image * math.prod(one.x) * _FLOAT
        tensors[onednn.DIFF_DST] = gradient.data_ptr() + image * math.prod(one.y) * _FLOAT
        _prepared(one, "backward_weights").run(tensors)
        for total, array in zip(sums, arrays, strict=True):
            total += array
    for total, array in zip(sums, arrays, strict=True):
        array[...] = total
    return list(results)
