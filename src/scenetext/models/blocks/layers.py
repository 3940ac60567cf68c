"""Convolutions with their normalisation, and the other layers that several networks share.

Paper of the folding: Jacob et al., arXiv:1712.05877, section 3.2 (batch normalisation folded into the convolution).
Legend of single letters, here and in all of `models`: B batch, C channels or classes, H height, W width, T time steps,
D embedding.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import paddle
from paddle import ParamAttr, Tensor, nn
from paddle.nn import functional as F
from paddle.nn.initializer import Constant, Normal

from scenetext.models.kernels import activation, convolution, depthwise, layer_norm, linear, onednn
from scenetext.models.kernels.arrays import is_eager_float32_on_cpu


class Conv2D(nn.Conv2D):
    """Paddle's convolution; in eager mode on CPU its bias is faster, and so is a depthwise convolution.

    Paddle adds a convolution's bias by broadcasting, which costs more than a 1x1 convolution itself, forward and
    backward. A batch normalisation with mean 0, variance 1 and the bias as its shift does the same arithmetic with a
    kernel that reads the memory in order (tests/benchmarks/LOG.md has the figures). Traced graphs keep the plain bias,
    because predictors fuse it.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not is_eager_float32_on_cpu(x, self.weight):
            return super().forward(x)
        has_padding = not isinstance(self._padding, str)  # in pixels
        if has_padding and depthwise.is_supported(x, self.weight, self._groups, self._dilation):
            y = depthwise.depthwise_conv2d(x, self.weight, _pair(self._stride), _pair(self._padding))
        elif has_padding and convolution.is_worth_it(self.weight) and onednn.is_usable(self.training, x):
            geometry = (_pair(v) for v in (self._stride, self._padding, self._dilation))
            return convolution.conv2d(x, self.weight, self.bias, *geometry, self._groups)
        else:
            y = F.conv2d(x, self.weight, None, self._stride, self._padding, self._dilation, self._groups)
        if self.bias is None:
            return y
        zeros, ones = paddle.zeros_like(self.bias), paddle.ones_like(self.bias)
        scale = paddle.to_tensor(_exact_scale(self.bias.shape[0]))
        scale.stop_gradient = False  # otherwise the kernel computes no gradient of the bias either
        return F.batch_norm(y, zeros, ones, scale, self.bias, training=False, epsilon=0.0)  # (B, C, H, W)


@functools.cache
@paddle.no_grad()
def _exact_scale(channels: int) -> np.ndarray:
    """(channels,) float32: what undoes the factor by which Paddle's batch normalisation misses 1.

    Its kernel computes 1 / sqrt(1) for eight channels at a time as 1.0000001. In a deep network that moved a detector's
    map by up to 1e-4.
    """
    zeros, ones = paddle.zeros([channels]), paddle.ones([channels])
    y = F.batch_norm(paddle.ones([1, channels, 1, 1]), zeros, ones, ones, zeros, training=False, epsilon=0.0)
    return 1 / y.numpy().reshape(-1)


def spatial_mean(x: Tensor) -> Tensor:
    """(B, C, H, W) → (B, C, 1, 1), the mean of each channel, rows first.

    Paddle adds the pixels of a mean one after the other. The sum of 100,000 pixels has lost three digits that way,
    which moved a detector's map by up to 7e-4.
    """
    return x.mean(axis=3, keepdim=True).mean(axis=2, keepdim=True)


def rows_of(x: Tensor) -> int | Tensor:
    """H of a map (B, C, H, W): a number, or a tensor where a network is traced for pictures of any height."""
    return x.shape[2] if x.shape[2] >= 0 else paddle.shape(x)[2]


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


class Linear(nn.Linear):
    """Paddle's linear layer; in eager mode on CPU its bias is faster.

    Paddle needs as long for adding a bias and summing its gradient as for the matrix product, and longer with
    thousands of classes. Here the bias is one more row of the matrix, and every input has a 1 for it.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.bias is None or not is_eager_float32_on_cpu(x, self.weight):
            return super().forward(x)
        if onednn.is_usable(self.training, x):
            return linear.linear(x, self.weight, self.bias)
        ones = paddle.ones([*x.shape[:-1], 1], x.dtype)
        return paddle.matmul(paddle.concat([x, ones], -1), paddle.concat([self.weight, self.bias.unsqueeze(0)]))


def exact_matmul(x: Tensor, y: Tensor) -> Tensor:
    """The matrix product in float32, also under mixed precision: for coordinates in an image.

    Mixed precision computes matrix products in half precision. For RARE's spline at 32 x 100 pixels this moves the
    sampled coordinates by up to 1.8 pixels in float16 and 4.8 in bfloat16; half precision of the control points alone
    moves them by 0.01 and 0.08.

    Args:
        x: (..., N, K).
        y: (..., K, M).

    Returns:
        (..., N, M) float32.
    """
    if not paddle.in_dynamic_mode():
        return paddle.matmul(x, y)
    with paddle.amp.auto_cast(enable=False):
        return paddle.matmul(x.astype("float32"), y.astype("float32"))


def conv2d(
    in_channels: int,
    out_channels: int,
    kernel: int | tuple[int, int],
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] | str = 0,
    groups: int = 1,
    bias: bool = False,
    learning_rate: float = 1.0,
    dilation: int = 1,
) -> Conv2D:
    """A convolution with He initialisation over its real fan-in (He et al., arXiv:1502.01852).

    Paddle's own default counts all input channels even when they are split in groups, so that a depthwise
    convolution starts smaller by the square root of the channel count; here the fan-in is divided by `groups`.

    Args:
        in_channels: channels in.
        out_channels: channels out.
        kernel: side, or (height, width).
        stride: of both directions, or (down, right).
        padding: of both directions, (top and bottom, left and right), or "SAME".
        groups: groups of channels; `in_channels` of them make the convolution depthwise.
        bias: whether it has one.
        learning_rate: factor on the optimiser's learning rate for these weights.
        dilation: distance between the pixels that neighbouring weights see.
    """
    kernel_h, kernel_w = (kernel, kernel) if isinstance(kernel, int) else kernel
    fan_in = kernel_h * kernel_w * in_channels // groups
    weight = ParamAttr(initializer=Normal(0.0, math.sqrt(2.0 / fan_in)), learning_rate=learning_rate)
    return Conv2D(
        in_channels,
        out_channels,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        weight_attr=weight,
        bias_attr=ParamAttr(learning_rate=learning_rate) if bias else False,
    )


@paddle.no_grad()
def fold_batch_norm(conv: nn.Conv2D, bn: nn.Layer) -> nn.Conv2D:
    """One convolution with a bias that equals `conv` followed by `bn` in eval mode.

    y = gamma * (W x + b - mean) / sqrt(variance + eps) + beta; the factor goes into W, the rest into the bias.

    Args:
        conv: a convolution with or without bias.
        bn: the batch normalisation that follows it, with its running statistics.

    Returns:
        A new convolution; `conv` and `bn` stay as they are.
    """
    factor = bn.weight / paddle.sqrt(bn._variance + bn._epsilon)  # (C,)
    bias = conv.bias if conv.bias is not None else paddle.zeros_like(bn._mean)
    return biased_conv(conv, conv.weight * factor.reshape([-1, 1, 1, 1]), bn.bias + (bias - bn._mean) * factor)


@paddle.no_grad()
def biased_conv(like: nn.Conv2D, weight: Tensor, bias: Tensor) -> nn.Conv2D:
    """A convolution with the stride, padding and groups of another one, and with given numbers.

    Args:
        like: the other one; the result is frozen where it is.
        weight: (out, in / groups, h, w).
        bias: (out,).
    """
    conv = Conv2D(
        like._in_channels,
        like._out_channels,
        list(weight.shape[2:]),
        stride=like._stride,
        padding=like._padding,
        groups=like._groups,
    )
    conv.weight.set_value(weight)
    conv.bias.set_value(bias)
    if like.weight.stop_gradient:
        freeze(conv)
    return conv


def freeze(layer: nn.Layer) -> None:
    """Excludes all parameters of a layer from training."""
    for parameter in layer.parameters():
        parameter.stop_gradient = True


class FoldableConv(nn.Layer):
    """Convolution, batch normalisation, activation; `fuse()` folds the first two into one convolution.

    PaddleOCR's networks name the two sublayers differently, and the names are part of the weight files' keys, so each
    network's subclass sets `CONV` and `BN`.

    Args:
        conv: the convolution.
        bn: its batch normalisation.
        activation: what follows them, if anything.
    """

    CONV = "conv"
    BN = "bn"

    def __init__(self, conv: nn.Conv2D, bn: nn.Layer, activation: nn.Layer | None = None):
        super().__init__()
        self.add_sublayer(self.CONV, conv)
        self.add_sublayer(self.BN, bn)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        x = getattr(self, self.CONV)(x)
        bn = getattr(self, self.BN)
        if bn is not None:
            x = bn(x)
        return x if self.activation is None else self.activation(x)  # (B, C, H, W)

    def fuse(self) -> None:
        """Folds the batch normalisation into the convolution, in place; a second call changes nothing."""
        bn = getattr(self, self.BN)
        if bn is None:
            return
        setattr(self, self.CONV, fold_batch_norm(getattr(self, self.CONV), bn))
        delattr(self, self.BN)
        setattr(self, self.BN, None)


class LayerNorm(nn.LayerNorm):
    """Paddle's layer normalisation of the last axis; in eager mode on CPU it is faster."""

    def forward(self, x: Tensor) -> Tensor:
        if onednn.is_usable(self.training, x, self.weight):
            return layer_norm.layer_norm(x, self.weight, self.bias, self._epsilon)
        return super().forward(x)


class Swish(nn.Layer):
    """x * sigmoid(x) (Ramachandran et al., arXiv:1710.05941) of any tensor; in eager mode on CPU it is faster."""

    def forward(self, x: Tensor) -> Tensor:
        if onednn.is_usable(self.training, x):
            return activation.activate(x, "swish")
        return F.swish(x)


class ConvBN(FoldableConv):
    """Convolution, batch normalisation, optional activation (keys `conv`, `bn`).

    Args:
        in_channels: channels in.
        out_channels: channels out.
        kernel: side of the convolution, odd.
        stride: of both directions, or (down, right).
        groups: groups of channels.
        scale: the factor that the normalisation starts with; 0 makes a residual block start as the identity.
        activation: what follows, if anything.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 1,
        stride: int | tuple[int, int] = 1,
        groups: int = 1,
        scale: float = 1.0,
        activation: nn.Layer | None = None,
    ):
        super().__init__(
            conv2d(in_channels, out_channels, kernel, stride, (kernel - 1) // 2, groups),
            nn.BatchNorm2D(out_channels, weight_attr=ParamAttr(initializer=Constant(scale))),
            activation,
        )


SIXTH = 0.1666667  # Paddle's own default


class SELayer(nn.Layer):
    """Squeeze and excite (Hu et al., arXiv:1709.01507), reduction 4, gate clip(slope * x + 0.5, 0, 1).

    (B, C, H, W) → (B, C, H, W).

    Args:
        channels: C.
        learning_rate: factor on the optimiser's learning rate for these weights.
        slope: of the gate.
    """

    def __init__(self, channels: int, learning_rate: float = 1.0, slope: float = SIXTH):
        super().__init__()
        self.slope = slope
        self.conv1 = conv2d(channels, channels // 4, 1, bias=True, learning_rate=learning_rate)
        self.conv2 = conv2d(channels // 4, channels, 1, bias=True, learning_rate=learning_rate)

    def forward(self, x: Tensor) -> Tensor:
        gate = spatial_mean(x)  # (B, C, 1, 1)
        return x * F.hardsigmoid(self.conv2(F.relu(self.conv1(gate))), self.slope)  # (B, C, H, W)


SATURATED = 10.0  # beyond it GELU is 0 or its input in float32; exp(-10 ** 2 / 2) is 2e-22, far from underflow


class GELU(nn.Layer):
    """The exact GELU of any tensor (Hendrycks and Gimpel, arXiv:1606.08415), fast on saturated inputs, too.

    Paddle's CPU kernel computes the derivative through exp(-x^2 / 2) of every input. The large activations of a
    trained or a fused network make it underflow, which is slow: 3.2 s of the 5.4 s of one 24x48x192 step of PP-OCRv6
    small. Here the kernel gets inputs up to 10 only. Traced graphs hold Paddle's own operator, which predictors fuse.
    """

    def forward(self, x: Tensor) -> Tensor:
        if onednn.is_usable(self.training, x):
            return activation.activate(x, "gelu")
        if self.training and not x.stop_gradient and is_eager_float32_on_cpu(x):
            return F.gelu(paddle.clip(x, -SATURATED, SATURATED)) + F.relu(x - SATURATED)
        return F.gelu(x)
