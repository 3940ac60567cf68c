"""Feature pyramids of DB detectors: RSEFPN (PP-OCRv3 to v5, RepSVTR's detector) and RepLKFPN (PP-OCRv6).

Papers: Lin et al., Feature Pyramid Networks, CVPR 2017, arXiv:1612.03144; Liao et al., Real-time Scene Text Detection
with Differentiable Binarization, AAAI 2020, arXiv:1911.08947, figure 3; Li et al., PP-OCRv3, arXiv:2206.03001, section
3.1 (residual squeeze and excite). Reference: ppocr/modeling/necks/db_fpn.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from scenetext.config.kinds import Count
from scenetext.models.blocks.dilated_rep import DilatedRepDepthwise
from scenetext.models.blocks.layers import SELayer, conv2d
from scenetext.models.heads.db_head import Pyramid

GATE_SLOPE = 0.2  # of the pyramid's squeeze and excite


class _Excite(SELayer):
    """Squeeze and excite with a steeper gate than the backbones'."""

    def __init__(self, channels: int):
        super().__init__(channels, slope=GATE_SLOPE)


class RSELayer(nn.Layer):
    """A convolution without bias, then squeeze and excite with a skip. (B, C, H, W) → (B, out_channels, H, W).

    Args:
        in_channels, out_channels: channels in and out.
        kernel: side of the convolution, odd.
        shortcut: whether the skip is there.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, shortcut: bool):
        super().__init__()
        self.in_conv = conv2d(in_channels, out_channels, kernel, padding=kernel // 2)
        self.se_block = _Excite(out_channels)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        x = self.in_conv(x)
        return x + self.se_block(x) if self.shortcut else self.se_block(x)


class _Pyramid(nn.Layer):
    """Four features at 1/4 to 1/32 of the size → (B, out_channels, H/4, W/4).

    Coarse features are added to finer ones, all of them are smoothed (`_smooth`, by the subclass), enlarged and
    concatenated, the coarsest first.

    Args:
        in_channels: of the four features, the finest first.
        out_channels: a multiple of 4.
        shortcut: whether squeeze and excite has a skip.
    """

    def __init__(self, in_channels: Sequence[int], out_channels: int, shortcut: bool):
        super().__init__()
        self.out_channels = out_channels
        self.shortcut = shortcut
        self.ins_conv = nn.LayerList([RSELayer(channels, out_channels, 1, shortcut) for channels in in_channels])

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        return self._fused(self._sums(features))

    def _sums(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Each feature, in `out_channels`, plus all coarser ones; the finest first."""
        sums: list[Tensor] = []
        for number in reversed(range(len(features))):
            own = self.ins_conv[number](features[number])
            sums.insert(0, own + F.interpolate(sums[0], scale_factor=2, mode="nearest") if sums else own)
        return sums

    def _fused(self, sums: Sequence[Tensor]) -> Tensor:
        smoothed = [(number, self._smooth(number, sums[number])) for number in reversed(range(len(sums)))]
        enlarged = [
            F.interpolate(feature, scale_factor=2**number, mode="nearest") if number else feature
            for number, feature in smoothed
        ]
        return paddle.concat(enlarged, axis=1)  # (B, C, H/4, W/4)

    def _smooth(self, number: int, feature: Tensor) -> Tensor:
        raise NotImplementedError


class RSEFPN(_Pyramid):
    """The pyramid of PP-OCRv3 to v5 and of RepSVTR's detector, smoothed by 3x3 convolutions.

    Args:
        in_channels: of the four features, the finest first.
        out_channels: a multiple of 4.
        shortcut: whether squeeze and excite has a skip.
    """

    def __init__(self, in_channels: Sequence[int], out_channels: Count, shortcut: bool = True):
        super().__init__(in_channels, out_channels, shortcut)
        quarter = out_channels // 4
        self.inp_conv = nn.LayerList([RSELayer(out_channels, quarter, 3, shortcut) for _ in in_channels])

    def _smooth(self, number: int, feature: Tensor) -> Tensor:
        return self.inp_conv[number](feature)


class RepLKFPN(_Pyramid):
    """The pyramid of PP-OCRv6 tiny and small, smoothed by large depthwise convolutions.

    While training it gives its sums, too, for the auxiliary heads.

    Args:
        in_channels: of the four features, the finest first.
        out_channels: a multiple of 4.
        shortcut: whether squeeze and excite has a skip.
        dilated_kernel_size: side of the depthwise convolutions.

    Raises:
        OptionError: `dilated_kernel_size` is unknown.
    """

    def __init__(
        self, in_channels: Sequence[int], out_channels: Count, shortcut: bool = True, dilated_kernel_size: Count = 7
    ):
        super().__init__(in_channels, out_channels, shortcut)
        quarter, levels = out_channels // 4, range(len(in_channels))
        self.inp_conv_dw = nn.LayerList([DilatedRepDepthwise(out_channels, dilated_kernel_size) for _ in levels])
        self.inp_conv_pw = nn.LayerList([conv2d(out_channels, quarter, 1) for _ in levels])
        self.inp_conv_se = nn.LayerList([_Excite(quarter) for _ in levels])

    def forward(self, features: Sequence[Tensor]) -> Tensor | Pyramid:
        sums = self._sums(features)
        fused = self._fused(sums)
        return Pyramid(fused, sums[2::-1]) if self.training else fused

    def _smooth(self, number: int, feature: Tensor) -> Tensor:
        x = self.inp_conv_pw[number](self.inp_conv_dw[number](feature))
        excited = self.inp_conv_se[number](x)
        return x + excited if self.shortcut else excited
