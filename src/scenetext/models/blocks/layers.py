"""Convolutions and their folding: the parts that several networks share.

Legend of single letters, here and in every file of this folder: B batch, C channels or classes, H height, W width,
T time steps, D embedding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import paddle
from paddle import ParamAttr, Tensor, nn
from paddle.nn import functional as F
from paddle.nn.initializer import Constant, Normal

from scenetext.models.kernels import depthwise
from scenetext.models.kernels.arrays import fit


class Conv2D(nn.Conv2D):
    """Paddle's convolution, in eager mode on CPU with a faster bias and by a faster kernel where it is depthwise.

    Paddle adds a convolution's bias by broadcasting, which costs more than a 1x1 convolution itself, forward and
    backward. A batch normalisation with mean 0, variance 1 and the bias as its shift is the same arithmetic by a kernel
    that walks the memory in order (see tests/benchmarks/LOG.md for the figures). Traced graphs keep the plain bias,
    which predictors fuse.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not fit(x, self.weight):
            return super().forward(x)
        if not isinstance(self._padding, str) and depthwise.is_supported(x, self.weight, self._groups, self._dilation):
            y = depthwise.depthwise_conv2d(x, self.weight, _pair(self._stride), _pair(self._padding))
        else:
            y = F.conv2d(x, self.weight, None, self._stride, self._padding, self._dilation, self._groups)
        if self.bias is None:
            return y
        zeros, ones = paddle.zeros_like(self.bias), paddle.ones_like(self.bias)
        ones.stop_gradient = False  # else the kernel leaves out the bias's gradient too
        return F.batch_norm(y, zeros, ones, ones, self.bias, training=False, epsilon=0.0)  # (B, C, H, W)


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


class Linear(nn.Linear):
    """Paddle's linear layer with a faster bias in eager mode on CPU.

    Adding a bias, and summing its gradient, take Paddle as long as the matrix product and longer where there are
    thousands of classes; here the bias is a further row of the matrix and every input has a 1 for it.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.bias is None or not fit(x, self.weight):
            return super().forward(x)
        ones = paddle.ones([*x.shape[:-1], 1], x.dtype)
        return paddle.matmul(paddle.concat([x, ones], -1), paddle.concat([self.weight, self.bias.unsqueeze(0)]))


def exact_matmul(x: Tensor, y: Tensor) -> Tensor:
    """The matrix product in float32, whatever mixed precision is about it: for places in a picture.

    Matrix products are what mixed precision halves first. Computed for RARE's spline at 32 x 100: halved factors move
    the places by up to 1.8 pixels in float16 and 4.8 in bfloat16, halved points alone by 0.01 and 0.08.
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
) -> Conv2D:
    """A convolution with He initialisation over its real fan-in (He et al., arXiv:1502.01852).

    Paddle's own default counts all input channels even when they are split in groups, so that a depthwise
    convolution starts smaller by the square root of the channel count; here the fan-in is divided by `groups`.

    Args:
        learning_rate: factor on the optimiser's learning rate for these weights.
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
        A new convolution; neither argument is changed.
    """
    factor = bn.weight / paddle.sqrt(bn._variance + bn._epsilon)  # (C,)
    bias = conv.bias if conv.bias is not None else paddle.zeros_like(bn._mean)
    return biased_conv(conv, conv.weight * factor.reshape([-1, 1, 1, 1]), bn.bias + (bias - bn._mean) * factor)


@paddle.no_grad()
def biased_conv(like: nn.Conv2D, weight: Tensor, bias: Tensor) -> nn.Conv2D:
    """A convolution with the geometry of `like` and the given weight (out, in/groups, h, w) and bias (out,)."""
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
    """Keeps all parameters of a layer as they are while the rest is trained."""
    for parameter in layer.parameters():
        parameter.stop_gradient = True


class FoldableConv(nn.Layer):
    """Convolution, batch normalisation, activation; `fuse()` folds the first two into one convolution.

    The sub-layers' names differ from one PaddleOCR network to the next and are part of the weight files' keys, so
    the subclass of each network says them.
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
        """Folds the batch normalisation into the convolution, in place; once folded, does nothing."""
        bn = getattr(self, self.BN)
        if bn is None:
            return
        setattr(self, self.CONV, fold_batch_norm(getattr(self, self.CONV), bn))
        delattr(self, self.BN)
        setattr(self, self.BN, None)


class ConvBN(FoldableConv):
    """Convolution and batch normalisation (keys `conv`, `bn`); `scale` is the normalisation's first factor."""

    def __init__(self, in_channels, out_channels, kernel=1, stride=1, groups=1, scale=1.0) -> None:
        super().__init__(
            conv2d(in_channels, out_channels, kernel, stride, (kernel - 1) // 2, groups),
            nn.BatchNorm2D(out_channels, weight_attr=ParamAttr(initializer=Constant(scale))),
        )


class SELayer(nn.Layer):
    """Squeeze and excite (arXiv:1709.01507), reduction 4, gate hardsigmoid(x) = x / 6 + 0.5."""

    def __init__(self, channels: int, learning_rate: float = 1.0):
        super().__init__()
        self.conv1 = conv2d(channels, channels // 4, 1, bias=True, learning_rate=learning_rate)
        self.conv2 = conv2d(channels // 4, channels, 1, bias=True, learning_rate=learning_rate)

    def forward(self, x: Tensor) -> Tensor:
        gate = x.mean(axis=[2, 3], keepdim=True)  # (B, C, 1, 1)
        return x * F.hardsigmoid(self.conv2(F.relu(self.conv1(gate))))  # (B, C, H, W)


SATURATED = 10.0  # exp(-50) is 2e-22, far from underflow


class GELU(nn.Layer):
    """The exact GELU of any tensor (Hendrycks and Gimpel, arXiv:1606.08415), quick on saturated inputs, too.

    Paddle's own CPU kernel computes the derivative through exp(-x^2 / 2) of every input; where that underflows, as it
    does for the large activations of a trained or a fused network, the kernel takes a slow path. Measured on one
    24x48x192 step of PP-OCRv6 small: 3.2 s of 5.4 s. Here it sees inputs up to 10 only, beyond which GELU is 0 or the
    input itself in float32. Traced graphs hold Paddle's own operator, which predictors fuse.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training and not x.stop_gradient and fit(x):
            return F.gelu(paddle.clip(x, -SATURATED, SATURATED)) + F.relu(x - SATURATED)
        return F.gelu(x)
