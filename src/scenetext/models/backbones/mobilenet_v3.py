"""MobileNetV3 as a backbone for text lines: the network of PaddleOCR's mobile CRNN and RARE.

Paper: Howard et al., Searching for MobileNetV3, ICCV 2019, arXiv:1905.02244, tables 1 and 2.
Reference: ppocr/modeling/backbones/rec_mobilenet_v3.py.
For text lines the strides keep the width: the stem halves both sides, the stages halve only the height, and the last
max pool halves both again, so W shrinks by 4 and H by 32. The squeeze-and-excite gate is the hard sigmoid 0.2 x + 0.5,
not the paper's x / 6 + 0.5. Depthwise convolutions start at their true He scale (see `layers.conv2d`).
"""

from __future__ import annotations

from typing import Annotated

from paddle import Tensor, nn
from paddle.nn import functional as F

from scenetext.config.kinds import Count, Factor, one_of
from scenetext.models.blocks.layers import ConvBN, SELayer

ACTIVATIONS = {"relu": nn.ReLU, "hardswish": nn.Hardswish}

# kernel, expanded channels, output channels, squeeze-and-excite, activation, index of the stage's stride (or none)
BLOCKS = {
    "large": [
        (3, 16, 16, False, "relu", 0),
        (3, 64, 24, False, "relu", 1),
        (3, 72, 24, False, "relu", None),
        (5, 72, 40, True, "relu", 2),
        (5, 120, 40, True, "relu", None),
        (5, 120, 40, True, "relu", None),
        (3, 240, 80, False, "hardswish", None),
        (3, 200, 80, False, "hardswish", None),
        (3, 184, 80, False, "hardswish", None),
        (3, 184, 80, False, "hardswish", None),
        (3, 480, 112, True, "hardswish", None),
        (3, 672, 112, True, "hardswish", None),
        (5, 672, 160, True, "hardswish", 3),
        (5, 960, 160, True, "hardswish", None),
        (5, 960, 160, True, "hardswish", None),
    ],
    "small": [
        (3, 16, 16, True, "relu", 0),
        (3, 72, 24, False, "relu", 1),
        (3, 88, 24, False, "relu", None),
        (5, 96, 40, True, "hardswish", 2),
        (5, 240, 40, True, "hardswish", None),
        (5, 240, 40, True, "hardswish", None),
        (5, 120, 48, True, "hardswish", None),
        (5, 144, 48, True, "hardswish", None),
        (5, 288, 96, True, "hardswish", 3),
        (5, 576, 96, True, "hardswish", None),
        (5, 576, 96, True, "hardswish", None),
    ],
}
LAST_CHANNELS = {"large": 960, "small": 576}


def make_divisible(value: float, divisor: int = 8) -> int:
    """`value` rounded to a multiple of `divisor`, never below 90 % of it (the paper's channel rule)."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


class SEModule(SELayer):
    """Squeeze and excite with the gate clip(0.2 x + 0.5, 0, 1). (B, C, H, W) → (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        gate = F.adaptive_avg_pool2d(x, 1)  # (B, C, 1, 1)
        gate = F.hardsigmoid(self.conv2(F.relu(self.conv1(gate))), slope=0.2, offset=0.5)
        return x * gate  # (B, C, H, W)


class ResidualUnit(nn.Layer):
    """Inverted residual: 1x1 expansion, depthwise, optional squeeze and excite, 1x1 linear.

    It has a residual connection where the shapes in and out are equal.

    Args:
        in_channels, mid_channels, out_channels: channels in, between the 1x1 convolutions, and out.
        kernel, stride: of the depthwise convolution.
        use_se: whether it has squeeze and excite.
        activation: a key of ACTIVATIONS.
    """

    def __init__(
        self,
        in_channels: int,
        mid_channels: int,
        out_channels: int,
        kernel: int,
        stride: int | tuple[int, int],
        use_se: bool,
        activation: str,
    ):
        super().__init__()
        act = ACTIVATIONS[activation]
        self.expand_conv = ConvBN(in_channels, mid_channels, activation=act())
        self.bottleneck_conv = ConvBN(mid_channels, mid_channels, kernel, stride, mid_channels, activation=act())
        if use_se:
            self.mid_se = SEModule(mid_channels)
        self.linear_conv = ConvBN(mid_channels, out_channels)
        self.use_se = use_se
        self.has_skip = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y = self.bottleneck_conv(self.expand_conv(x))
        if self.use_se:
            y = self.mid_se(y)
        y = self.linear_conv(y)
        return x + y if self.has_skip else y  # (B, C, H, W)


class MobileNetV3(nn.Layer):
    """(B, 3, H, W) → (B, out_channels, H/32, W/4).

    Args:
        in_channels: channels of the image.
        model_name: "small" or "large".
        scale: width factor on all channel counts.
        large_stride: height strides of the four striding stages of "large".
        small_stride: the same for "small".
        disable_se: leaves all squeeze-and-excite gates out.
    """

    def __init__(
        self,
        in_channels: int,
        model_name: Annotated[str, one_of(*BLOCKS)] = "small",
        scale: Factor = 0.5,
        large_stride: tuple[Count, Count, Count, Count] = (1, 2, 2, 2),
        small_stride: tuple[Count, Count, Count, Count] = (2, 2, 2, 2),
        disable_se: bool = False,
    ):
        super().__init__()
        heights = large_stride if model_name == "large" else small_stride
        channels = make_divisible(16 * scale)
        self.conv1 = ConvBN(in_channels, channels, 3, 2, activation=nn.Hardswish())
        blocks = []
        for index, (kernel, expanded, out, use_se, activation, stage) in enumerate(BLOCKS[model_name]):
            stride = 1 if stage is None else (heights[stage], 1)
            if model_name == "large" and index == 0:
                stride = heights[0]  # the first block of "large" strides both sides alike
            out = make_divisible(out * scale)
            mid = make_divisible(expanded * scale)
            blocks.append(ResidualUnit(channels, mid, out, kernel, stride, use_se and not disable_se, activation))
            channels = out
        self.blocks = nn.Sequential(*blocks)
        self.out_channels = make_divisible(LAST_CHANNELS[model_name] * scale)
        self.conv2 = ConvBN(channels, self.out_channels, activation=nn.Hardswish())
        self.pool = nn.MaxPool2D(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.conv2(self.blocks(self.conv1(x))))  # (B, C, H/32, W/4)
