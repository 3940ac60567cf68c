"""ResNet-vd as a backbone for text lines: the network of PaddleOCR's server CRNN and RARE.

Paper: He et al., Bag of Tricks for Image Classification, CVPR 2019, arXiv:1812.01187, figure 2 (ResNet-C stem,
ResNet-D shortcut); the residual network itself is arXiv:1512.03385.
Reference: ppocr/modeling/backbones/rec_resnet_vd.py.
For text lines the stages 2 to 4 have the stride (2, 1); with the two pools, W shrinks by 4 and H by 32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from paddle import Tensor, nn
from paddle.nn import functional as F

from scenetext.config.kinds import one_of
from scenetext.models.blocks.layers import FoldableConv, conv2d

DEPTHS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 12, 48, 3),
}
CHANNELS = (64, 128, 256, 512)
BOTTLENECK_EXPANSION = 4  # channels out of a bottleneck over those inside


class ConvBNLayer(FoldableConv):
    """Convolution, batch normalisation, optional ReLU (keys `_conv`, `_batch_norm`).

    Args:
        in_channels, out_channels, kernel, stride: of the convolution.
        relu: whether a ReLU follows.
        pooled: whether an average pool before the convolution takes the place of its stride (the "vd" shortcut).
    """

    CONV = "_conv"
    BN = "_batch_norm"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int | tuple[int, int] = 1,
        relu: bool = False,
        pooled: bool = False,
    ):
        super().__init__(
            conv2d(in_channels, out_channels, kernel, 1 if pooled else stride, (kernel - 1) // 2),
            nn.BatchNorm2D(out_channels),
            nn.ReLU() if relu else None,
        )
        self.pool_size = stride if pooled else None

    def forward(self, x: Tensor) -> Tensor:
        if self.pool_size is not None:
            x = F.avg_pool2d(x, self.pool_size, self.pool_size, ceil_mode=True)
        return super().forward(x)


class ResidualBlock(nn.Layer):
    """relu(convolutions(x) + shortcut(x)); the keys are `conv0`, `conv1`, ... and `short`.

    Args:
        convs: the convolutions, in order.
        shortcut: what brings x to the shape of their output; None where it has that shape.
    """

    def __init__(self, convs: Sequence[ConvBNLayer], shortcut: ConvBNLayer | None):
        super().__init__()
        self.names = [f"conv{index}" for index in range(len(convs))]
        for name, conv in zip(self.names, convs, strict=True):
            self.add_sublayer(name, conv)
        self.short = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for name in self.names:
            y = getattr(self, name)(y)
        return F.relu(y + (x if self.short is None else self.short(x)))  # (B, C, H, W)


def basic_convs(in_channels: int, channels: int, stride: int | tuple[int, int]) -> list[ConvBNLayer]:
    """The convolutions of a block of ResNet-18 and -34: 3x3, 3x3."""
    return [ConvBNLayer(in_channels, channels, 3, stride, relu=True), ConvBNLayer(channels, channels, 3)]


def bottleneck_convs(in_channels: int, channels: int, stride: int | tuple[int, int]) -> list[ConvBNLayer]:
    """The convolutions of a block of ResNet-50 and deeper: 1x1, 3x3, and 1x1 to 4 times the channels."""
    return [
        ConvBNLayer(in_channels, channels, 1, relu=True),
        ConvBNLayer(channels, channels, 3, stride, relu=True),
        ConvBNLayer(channels, channels * BOTTLENECK_EXPANSION, 1),
    ]


class ResNet(nn.Layer):
    """(B, 3, H, W) → (B, out_channels, H/32, W/4).

    Args:
        in_channels: channels of the image.
        layers: 18, 34, 50, 101, 152 or 200.
    """

    def __init__(self, in_channels: int, layers: Annotated[int, one_of(*DEPTHS)] = 50):
        super().__init__()
        convs, expansion = (basic_convs, 1) if layers < 50 else (bottleneck_convs, BOTTLENECK_EXPANSION)
        self.conv1_1 = ConvBNLayer(in_channels, 32, 3, relu=True)
        self.conv1_2 = ConvBNLayer(32, 32, 3, relu=True)
        self.conv1_3 = ConvBNLayer(32, 64, 3, relu=True)
        self.pool2d_max = nn.MaxPool2D(3, 2, 1)
        channels = 64
        self.block_names = []
        for stage, (depth, width) in enumerate(zip(DEPTHS[layers], CHANNELS, strict=True)):
            for index in range(depth):
                stride = (2, 1) if index == 0 and stage > 0 else 1
                own_convs = convs(channels, width, stride)
                shortcut = None
                if index == 0:
                    shortcut = ConvBNLayer(channels, width * expansion, 1, stride, pooled=stage > 0)
                name = f"bb_{stage}_{index}"
                self.add_sublayer(name, ResidualBlock(own_convs, shortcut))
                self.block_names.append(name)
                channels = width * expansion
        self.out_channels = channels
        self.out_pool = nn.MaxPool2D(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool2d_max(self.conv1_3(self.conv1_2(self.conv1_1(x))))  # (B, 64, H/2, W/2)
        for name in self.block_names:
            x = getattr(self, name)(x)
        return self.out_pool(x)  # (B, C, H/32, W/4)
