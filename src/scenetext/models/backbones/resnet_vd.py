"""ResNet-vd as a backbone for text lines: the network of PaddleOCR's server CRNN and RARE.

Paper: He et al., Bag of Tricks for Image Classification, CVPR 2019, arXiv:1812.01187, figure 2 (ResNet-C stem,
ResNet-D shortcut); the residual network itself is arXiv:1512.03385.
Reference: ppocr/modeling/backbones/rec_resnet_vd.py.
For lines of text stages 2 to 4 stride (2, 1), so that with the two pools W shrinks by 4 and H by 32.
"""

from __future__ import annotations

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


class ConvBNLayer(FoldableConv):
    """Convolution, batch normalisation, optional ReLU (keys `_conv`, `_batch_norm`).

    With `pooled`, an average pool of the stride's size stands in for the stride (the "vd" shortcut).
    """

    CONV = "_conv"
    BN = "_batch_norm"

    def __init__(self, in_channels, out_channels, kernel, stride=1, relu=False, pooled=False) -> None:
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


def _shortcut(in_channels: int, out_channels: int, stride, first_stage: bool) -> ConvBNLayer:
    return ConvBNLayer(in_channels, out_channels, 1, stride, pooled=not first_stage and stride != 1)


class BasicBlock(nn.Layer):
    """Two 3x3 convolutions and a shortcut (ResNet-18 and -34)."""

    expansion = 1

    def __init__(self, in_channels, channels, stride, has_conv_shortcut, first_stage) -> None:
        super().__init__()
        self.conv0 = ConvBNLayer(in_channels, channels, 3, stride, relu=True)
        self.conv1 = ConvBNLayer(channels, channels, 3)
        self.has_conv_shortcut = has_conv_shortcut
        if has_conv_shortcut:
            self.short = _shortcut(in_channels, channels, stride, first_stage)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(self.conv0(x))
        return F.relu(y + (self.short(x) if self.has_conv_shortcut else x))  # (B, C, H, W)


class BottleneckBlock(nn.Layer):
    """1x1, 3x3, 1x1 convolutions and a shortcut (ResNet-50 and deeper)."""

    expansion = 4

    def __init__(self, in_channels, channels, stride, has_conv_shortcut, first_stage) -> None:
        super().__init__()
        out_channels = channels * self.expansion
        self.conv0 = ConvBNLayer(in_channels, channels, 1, relu=True)
        self.conv1 = ConvBNLayer(channels, channels, 3, stride, relu=True)
        self.conv2 = ConvBNLayer(channels, out_channels, 1)
        self.has_conv_shortcut = has_conv_shortcut
        if has_conv_shortcut:
            self.short = _shortcut(in_channels, out_channels, stride, first_stage)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(self.conv1(self.conv0(x)))
        return F.relu(y + (self.short(x) if self.has_conv_shortcut else x))  # (B, C, H, W)


class ResNet(nn.Layer):
    """(B, 3, H, W) → (B, out_channels, H/32, W/4).

    Args:
        in_channels: channels of the image.
        layers: 18, 34, 50, 101, 152 or 200.
    """

    def __init__(self, in_channels: int = 3, layers: Annotated[int, one_of(*DEPTHS)] = 50):
        super().__init__()
        block = BasicBlock if layers < 50 else BottleneckBlock
        self.conv1_1 = ConvBNLayer(in_channels, 32, 3, relu=True)
        self.conv1_2 = ConvBNLayer(32, 32, 3, relu=True)
        self.conv1_3 = ConvBNLayer(32, 64, 3, relu=True)
        self.pool2d_max = nn.MaxPool2D(3, 2, 1)
        channels = 64
        self.block_names = []
        for stage, (depth, width) in enumerate(zip(DEPTHS[layers], CHANNELS, strict=True)):
            for index in range(depth):
                stride = (2, 1) if index == 0 and stage > 0 else 1
                name = f"bb_{stage}_{index}"
                self.add_sublayer(name, block(channels, width, stride, index == 0, stage == 0))
                self.block_names.append(name)
                channels = width * block.expansion
        self.out_channels = channels
        self.out_pool = nn.MaxPool2D(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool2d_max(self.conv1_3(self.conv1_2(self.conv1_1(x))))  # (B, 64, H/2, W/2)
        for name in self.block_names:
            x = getattr(self, name)(x)
        return self.out_pool(x)  # (B, C, H/32, W/4)
