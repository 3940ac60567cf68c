"""RepSVTR, the mobile counterpart of SVTRv2, and the backbone of its detector: RepViT's blocks with other strides.

Papers: Wang et al., RepViT: Revisiting Mobile CNN From ViT Perspective, CVPR 2024, arXiv:2307.09283, section 3; the
depthwise convolution is that of `rep_depthwise`. Reference: ppocr/modeling/backbones/rec_repvit.py and repvit.py.
Different here: every export calls `fuse()` (PaddleOCR never calls its own), and the recogniser's closing pool takes the
whole height, so that lines of height 32, 48 and 64 can be read.
"""

from __future__ import annotations

from collections.abc import Sequence

from paddle import Tensor, nn
from paddle.nn import functional as F

from scenetext.models.blocks.layers import GELU, ConvBN, conv2d, spatial_mean
from scenetext.models.blocks.rep_depthwise import RepDepthwise

# output channels, stride, squeeze and excite, of every block after the stem
BLOCKS = (
    *((96, 1, True), (96, 1, False), (96, 1, False)),
    *((192, (2, 1), False), (192, 1, True), (192, 1, False), (192, 1, True), (192, 1, False), (192, 1, True)),
    *((192, 1, False),),
    *((384, (2, 1), False), (384, 1, True), (384, 1, False)),
)
STEM = (48, 96)
# the same of the detector, and the blocks after which it hands features on
DETECTOR_BLOCKS = (
    *((48, 1, True), (48, 1, False)),
    *((96, 2, False), (96, 1, True), (96, 1, False)),
    *((192, 2, False), (192, 1, True), (192, 1, False), (192, 1, True), (192, 1, False)),
    *((384, 2, False), (384, 1, True), (384, 1, False)),
)
DETECTOR_STEM = (24, 48)
DETECTOR_OUTPUTS = (2, 5, 10, 13)
SE_REDUCTION = 4
SE_MULTIPLE = 8  # the squeezed channels are a multiple of this


class RepViTConvBN(ConvBN):
    """Convolution and batch normalisation under RepViT's keys, `c` and `bn`."""

    CONV = "c"


class SqueezeExcite(nn.Layer):
    """Squeeze and excite (Hu et al., arXiv:1709.01507), gate sigmoid(x). (B, C, H, W) → (B, C, H, W)."""

    def __init__(self, channels: int):
        super().__init__()
        squeezed = (channels // SE_REDUCTION + SE_MULTIPLE // 2) // SE_MULTIPLE * SE_MULTIPLE
        self.fc1 = conv2d(channels, squeezed, 1, bias=True)
        self.fc2 = conv2d(squeezed, channels, 1, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        gate = spatial_mean(x)  # (B, C, 1, 1)
        return x * F.sigmoid(self.fc2(F.relu(self.fc1(gate))))  # (B, C, H, W)


def rep_depthwise(channels: int) -> RepDepthwise:
    """The depthwise convolution of a block that keeps channels and size. (B, C, H, W) → (B, C, H, W)."""
    return RepDepthwise(channels, RepViTConvBN(channels, channels, 3, groups=channels), bias=True)


class Residual(nn.Layer):
    """x + m(x).

    Args:
        m: a layer whose output has the shape of its input.
    """

    def __init__(self, m: nn.Layer):
        super().__init__()
        self.m = m

    def forward(self, x: Tensor) -> Tensor:
        return x + self.m(x)


class RepViTBlock(nn.Layer):
    """Token mixer (depthwise 3x3 [+ SE]) and channel mixer (1x1 to twice the channels, GELU, 1x1 back, with a skip).

    A block whose stride is not 1 changes the channels by a 1x1 convolution after the depthwise one.

    Args:
        in_channels, out_channels: channels in and out.
        stride: of both directions, or (down, right).
        use_se: whether the token mixer has squeeze and excite.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int | tuple[int, int], use_se: bool):
        super().__init__()
        excite = SqueezeExcite(in_channels) if use_se else nn.Identity()
        if stride == 1:
            self.token_mixer = nn.Sequential(rep_depthwise(in_channels), excite)
        else:
            depthwise = RepViTConvBN(in_channels, in_channels, 3, stride, in_channels)
            self.token_mixer = nn.Sequential(depthwise, excite, RepViTConvBN(in_channels, out_channels))
        hidden = out_channels * 2
        self.channel_mixer = Residual(
            nn.Sequential(RepViTConvBN(out_channels, hidden), GELU(), RepViTConvBN(hidden, out_channels, scale=0.0))
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.channel_mixer(self.token_mixer(x))  # (B, C, H, W)


def _features(
    in_channels: int, stem: tuple[int, int], blocks: Sequence[tuple[int, int | tuple[int, int], bool]]
) -> nn.LayerList:
    """The stem, which halves both sides twice, and the blocks."""
    half, channels = stem
    features = nn.LayerList(
        [nn.Sequential(RepViTConvBN(in_channels, half, 3, 2), GELU(), RepViTConvBN(half, channels, 3, 2))]
    )
    for out_channels, stride, use_se in blocks:
        features.append(RepViTBlock(channels, out_channels, stride, use_se))
        channels = out_channels
    return features


class RepSVTR(nn.Layer):
    """(B, 3, H, W) → (B, 384, 1, W/8).

    Args:
        in_channels: channels of the image.
    """

    def __init__(self, in_channels: int):
        super().__init__()
        self.features = _features(in_channels, STEM, BLOCKS)
        self.out_channels = BLOCKS[-1][0]

    def forward(self, x: Tensor) -> Tensor:
        for feature in self.features:
            x = feature(x)
        return F.avg_pool2d(x, [x.shape[2], 2])  # (B, C, 1, W/8)


class RepSVTRDetector(nn.Layer):
    """(B, 3, H, W) → features of 48, 96, 192 and 384 channels at 1/4, 1/8, 1/16 and 1/32 of the size.

    Args:
        in_channels: channels of the image.
    """

    def __init__(self, in_channels: int):
        super().__init__()
        self.features = _features(in_channels, DETECTOR_STEM, DETECTOR_BLOCKS)
        self.out_channels = [DETECTOR_BLOCKS[number - 1][0] for number in DETECTOR_OUTPUTS]

    def forward(self, x: Tensor) -> list[Tensor]:
        outputs = []
        for number, feature in enumerate(self.features):
            x = feature(x)
            if number in DETECTOR_OUTPUTS:
                outputs.append(x)
        return outputs
