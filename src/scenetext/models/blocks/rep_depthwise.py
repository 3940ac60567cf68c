"""A depthwise 3x3 convolution that is trained with two more branches and folded to one (RepSVTR, PP-OCRv6).

Paper: Ding et al., RepVGG: Making VGG-style ConvNets Great Again, CVPR 2021, arXiv:2101.03697, section 3.
"""

from __future__ import annotations

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from scenetext.models.blocks.layers import FoldableConv, biased_conv, conv2d, fold_batch_norm


class RepDepthwise(nn.Layer):
    """bn(conv3x3_bn(x) + conv1x1(x) + x), after `fuse()` one depthwise 3x3. (B, C, H, W) → (B, C, H, W).

    Args:
        channels: C.
        conv: the 3x3 branch, a depthwise convolution with its normalisation.
        bias: whether the 1x1 branch has a bias.
    """

    def __init__(self, channels: int, conv: FoldableConv, bias: bool = False):
        super().__init__()
        self.conv = conv
        self.conv1 = conv2d(channels, channels, 1, groups=channels, bias=bias)
        self.bn = nn.BatchNorm2D(channels)
        self.fused = False

    def forward(self, x: Tensor) -> Tensor:
        if self.fused:
            return self.reparam_conv(x)
        return self.bn(self.conv(x) + self.conv1(x) + x)  # (B, C, H, W)

    @paddle.no_grad()
    def fuse(self) -> None:
        """Sums the branches into the 3x3 kernel, folds both normalisations, in place; a second call changes nothing."""
        if self.fused:
            return
        self.conv.fuse()
        conv3x3 = getattr(self.conv, self.conv.CONV)
        centre = F.pad(self.conv1.weight + 1.0, [1, 1, 1, 1])  # the identity is a 1x1 kernel of 1
        bias = conv3x3.bias if self.conv1.bias is None else conv3x3.bias + self.conv1.bias
        folded = fold_batch_norm(biased_conv(conv3x3, conv3x3.weight + centre, bias), self.bn)
        del self.conv, self.conv1, self.bn
        self.reparam_conv = folded
        self.fused = True
