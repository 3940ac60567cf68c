"""A large depthwise convolution that is trained with smaller, dilated ones beside it and folded to one (PP-OCRv6).

Paper: Ding et al., UniRepLKNet, CVPR 2024, arXiv:2311.15599, section 3.1, the Dilated Reparam Block. Reference:
ppocr/modeling/necks/db_fpn.py, DilatedReparamBlock.
"""

from __future__ import annotations

import paddle
from paddle import Tensor, nn

from scenetext.config.options import OptionError
from scenetext.models.blocks.layers import biased_conv, conv2d, fold_batch_norm

# kernel and dilation of the branches beside a large kernel of that side
BRANCHES = {
    5: ((3, 1), (3, 2)),
    7: ((5, 1), (3, 2), (3, 3)),
    9: ((5, 1), (5, 2), (3, 3), (3, 4)),
    11: ((5, 1), (5, 2), (3, 3), (3, 4), (3, 5)),
    13: ((5, 1), (7, 2), (3, 3), (3, 4), (3, 5)),
}


class DilatedRepDepthwise(nn.Layer):
    """The sum of normalised depthwise convolutions, after `fuse()` one. (B, C, H, W) → (B, C, H, W).

    Args:
        channels: C.
        kernel: side of the large convolution, a key of BRANCHES.

    Raises:
        OptionError: no branches are known for that side.
    """

    def __init__(self, channels: int, kernel: int):
        super().__init__()
        if kernel not in BRANCHES:
            raise OptionError(f"dilated_kernel_size is {kernel}; known are {', '.join(map(str, BRANCHES))}.")
        self.branches = BRANCHES[kernel]
        self.lk_origin = conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.origin_bn = nn.BatchNorm2D(channels)
        for side, dilation in self.branches:
            padding = dilation * (side // 2)
            branch = conv2d(channels, channels, side, padding=padding, groups=channels, dilation=dilation)
            self.add_sublayer(f"dil_conv_k{side}_{dilation}", branch)
            self.add_sublayer(f"dil_bn_k{side}_{dilation}", nn.BatchNorm2D(channels))
        self.fused = False

    def forward(self, x: Tensor) -> Tensor:
        y = self.lk_origin(x)
        if self.fused:
            return y
        y = self.origin_bn(y)
        for conv, bn in self._pairs():
            y = y + bn(conv(x))
        return y  # (B, C, H, W)

    def _pairs(self) -> list[tuple[nn.Conv2D, nn.BatchNorm2D]]:
        names = [f"k{side}_{dilation}" for side, dilation in self.branches]
        return [(getattr(self, f"dil_conv_{name}"), getattr(self, f"dil_bn_{name}")) for name in names]

    @paddle.no_grad()
    def fuse(self) -> None:
        """Sums the branches into the large kernel, in place; a second call changes nothing."""
        if self.fused:
            return
        origin = fold_batch_norm(self.lk_origin, self.origin_bn)
        weight, bias, middle = origin.weight.clone(), origin.bias, origin.weight.shape[2] // 2
        for (conv, bn), (side, dilation) in zip(self._pairs(), self.branches, strict=True):
            folded, reach = fold_batch_norm(conv, bn), dilation * (side // 2)
            rows = slice(middle - reach, middle + reach + 1, dilation)
            weight[:, :, rows, rows] += folded.weight
            bias = bias + folded.bias
            delattr(self, f"dil_conv_k{side}_{dilation}")
            delattr(self, f"dil_bn_k{side}_{dilation}")
        self.lk_origin = biased_conv(self.lk_origin, weight, bias)
        del self.origin_bn
        self.fused = True
