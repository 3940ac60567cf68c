"""RepSVTR, the mobile backbone beside SVTRv2: RepViT's blocks, strided for lines of text.

Papers: Wang et al., RepViT: Revisiting Mobile CNN From ViT Perspective, CVPR 2024, arXiv:2307.09283, section 3; the
depthwise convolution is trained with a 1x1 branch and the identity and folded to one, Ding et al., RepVGG, CVPR 2021,
arXiv:2101.03697. Reference: ppocr/modeling/backbones/rec_repvit.py.
Different here: `fuse()` is called by every export (PaddleOCR never calls its own), and the closing pool takes the whole
height, so that lines of height 32, 48 and 64 are read.
"""

from __future__ import annotations

import paddle
from paddle import ParamAttr, Tensor, nn
from paddle.nn import functional as F
from paddle.nn.initializer import Constant

from scenetext.models.gelu import GELU
from scenetext.models.layers import FoldableConv, biased_conv, conv2d, fold_batch_norm

# output channels, stride, squeeze-excite, of every block after the stem
BLOCKS = (
    *((96, 1, True), (96, 1, False), (96, 1, False)),
    *((192, (2, 1), False), (192, 1, True), (192, 1, False), (192, 1, True), (192, 1, False), (192, 1, True)),
    *((192, 1, False),),
    *((384, (2, 1), False), (384, 1, True), (384, 1, False)),
)
STEM = (48, 96)
SE_REDUCTION = 4


class ConvBN(FoldableConv):
    """Convolution and batch normalisation (keys `c`, `bn`); `scale` is the normalisation's first factor."""

    CONV = "c"

    def __init__(self, in_channels, out_channels, kernel=1, stride=1, groups=1, scale=1.0):
        super().__init__(
            conv2d(in_channels, out_channels, kernel, stride, (kernel - 1) // 2, groups),
            nn.BatchNorm2D(out_channels, weight_attr=ParamAttr(initializer=Constant(scale))),
        )


class SqueezeExcite(nn.Layer):
    """arXiv:1709.01507, with a true sigmoid."""

    def __init__(self, channels: int):
        super().__init__()
        self.fc1 = conv2d(channels, channels // SE_REDUCTION, 1, bias=True)
        self.fc2 = conv2d(channels // SE_REDUCTION, channels, 1, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        gate = x.mean(axis=[2, 3], keepdim=True)  # (B, C, 1, 1)
        return x * F.sigmoid(self.fc2(F.relu(self.fc1(gate))))  # (B, C, H, W)


class RepVGGDW(nn.Layer):
    """Depthwise 3x3 trained as bn(conv3x3_bn(x) + conv1x1(x) + x), folded to one depthwise 3x3 by `fuse()`."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = ConvBN(channels, channels, 3, groups=channels)
        self.conv1 = conv2d(channels, channels, 1, groups=channels, bias=True)
        self.bn = nn.BatchNorm2D(channels)
        self.fused = False

    def forward(self, x: Tensor) -> Tensor:
        if self.fused:
            return self.reparam_conv(x)
        return self.bn(self.conv(x) + self.conv1(x) + x)  # (B, C, H, W)

    @paddle.no_grad()
    def fuse(self) -> None:
        """Sums the branches into the 3x3 kernel, folds both normalisations, in place; once folded, does nothing."""
        if self.fused:
            return
        self.conv.fuse()
        centre = F.pad(self.conv1.weight + 1.0, [1, 1, 1, 1])  # the identity is a 1x1 kernel of one
        own = self.conv.c
        branches = biased_conv(own, own.weight + centre, own.bias + self.conv1.bias)
        folded = fold_batch_norm(branches, self.bn)
        del self.conv, self.conv1, self.bn
        self.reparam_conv = folded
        self.fused = True


class Residual(nn.Layer):
    """x + m(x)."""

    def __init__(self, m: nn.Layer):
        super().__init__()
        self.m = m

    def forward(self, x: Tensor) -> Tensor:
        return x + self.m(x)


class RepViTBlock(nn.Layer):
    """Token mixer (depthwise 3x3 [+ SE]) and channel mixer (1x1 to twice the channels, GELU, 1x1 back, with a skip).

    A block of stride other than 1 changes the channels by a 1x1 convolution after the depthwise one.
    """

    def __init__(self, in_channels, out_channels, stride, use_se):
        super().__init__()
        excite = SqueezeExcite(in_channels) if use_se else nn.Identity()
        if stride == 1:
            self.token_mixer = nn.Sequential(RepVGGDW(in_channels), excite)
        else:
            depthwise = ConvBN(in_channels, in_channels, 3, stride, in_channels)
            self.token_mixer = nn.Sequential(depthwise, excite, ConvBN(in_channels, out_channels))
        hidden = out_channels * 2
        self.channel_mixer = Residual(
            nn.Sequential(ConvBN(out_channels, hidden), GELU(), ConvBN(hidden, out_channels, scale=0.0))
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.channel_mixer(self.token_mixer(x))  # (B, C, H, W)


class RepSVTR(nn.Layer):
    """(B, 3, H, W) → (B, 384, 1, W/8).

    Args:
        in_channels: channels of the image.
    """

    def __init__(self, in_channels: int = 3):
        super().__init__()
        half, channels = STEM
        stem = nn.Sequential(ConvBN(in_channels, half, 3, 2), GELU(), ConvBN(half, channels, 3, 2))
        self.features = nn.LayerList([stem])
        for out_channels, stride, use_se in BLOCKS:
            self.features.append(RepViTBlock(channels, out_channels, stride, use_se))
            channels = out_channels
        self.out_channels = channels

    def forward(self, x: Tensor) -> Tensor:
        for feature in self.features:
            x = feature(x)
        return F.avg_pool2d(x, [x.shape[2], 2])  # (B, C, 1, W/8)
