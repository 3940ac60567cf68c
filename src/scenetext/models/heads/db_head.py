"""DBHead: the maps of differentiable binarization.

Paper: Liao et al., Real-time Scene Text Detection with Differentiable Binarization, AAAI 2020, arXiv:1911.08947,
sections 3.1 and 3.2. Reference: ppocr/modeling/heads/det_db_head.py.
Different here: `fuse()` folds the normalisations of both branches; PaddleOCR leaves them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import paddle
from paddle import ParamAttr, Tensor, nn
from paddle.nn import functional as F
from paddle.nn.initializer import Constant, KaimingUniform, Uniform

from scenetext.config.kinds import Factor, Natural
from scenetext.errors import InputError
from scenetext.models.blocks.layers import conv2d, fold_batch_norm
from scenetext.models.heads.class_tensors import ClassTensor

SHIFT = 1e-4  # that the normalisations start with
LEVELS = ("p4", "p3", "p2")  # sums of a pyramid at 1/16, 1/8 and 1/4 of the size, for the auxiliary heads


class Branch(nn.Layer):
    """(B, C, H, W) → (B, 1, 4 H, 4 W) in [0, 1]: a convolution and two transposed ones.

    Args:
        in_channels: C.
        fix_nan: replace what is not a number after the normalisations by 0 while training.
    """

    def __init__(self, in_channels: int, fix_nan: bool):
        super().__init__()
        middle = in_channels // 4
        self.fix_nan = fix_nan
        self.conv1 = conv2d(in_channels, middle, 3, padding=1)
        self.conv_bn1 = _batch_norm(middle)
        self.conv2 = _upscaling_conv(middle, middle)
        self.conv_bn2 = _batch_norm(middle)
        self.conv3 = _upscaling_conv(middle, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self._normalised(self.conv1(x), self.conv_bn1))
        x = F.relu(self._normalised(self.conv2(x), self.conv_bn2))
        return F.sigmoid(self.conv3(x))

    def _normalised(self, x: Tensor, bn: nn.Layer | None) -> Tensor:
        if bn is None:
            return x
        x = bn(x)
        if self.fix_nan and self.training:
            x = paddle.where(paddle.isnan(x), paddle.zeros_like(x), x)
        return x

    def fuse(self) -> None:
        """Folds the normalisations into the convolutions, in place; a second call changes nothing."""
        if self.conv_bn1 is None:
            return
        self.conv1 = fold_batch_norm(self.conv1, self.conv_bn1)
        self.conv2 = _folded_transposed(self.conv2, self.conv_bn2)
        del self.conv_bn1, self.conv_bn2
        self.conv_bn1 = self.conv_bn2 = None


def _batch_norm(channels: int) -> nn.BatchNorm2D:
    return nn.BatchNorm2D(channels, bias_attr=ParamAttr(initializer=Constant(SHIFT)))


def _upscaling_conv(in_channels: int, out_channels: int) -> nn.Conv2DTranspose:
    """A transposed convolution that doubles both sides, with PaddleOCR's initial values."""
    bound = 1.0 / math.sqrt(in_channels)
    return nn.Conv2DTranspose(
        in_channels,
        out_channels,
        2,
        stride=2,
        weight_attr=ParamAttr(initializer=KaimingUniform()),
        bias_attr=ParamAttr(initializer=Uniform(-bound, bound)),
    )


@paddle.no_grad()
def _folded_transposed(conv: nn.Conv2DTranspose, bn: nn.BatchNorm2D) -> nn.Conv2DTranspose:
    """`layers.fold_batch_norm` of a transposed convolution, whose output channels are the second axis."""
    factor = bn.weight / paddle.sqrt(bn._variance + bn._epsilon)  # (C,)
    folded = _upscaling_conv(*conv.weight.shape[:2])
    folded.weight.set_value(conv.weight * factor.reshape([1, -1, 1, 1]))
    folded.bias.set_value(bn.bias + (conv.bias - bn._mean) * factor)
    return folded


class Pyramid(NamedTuple):
    """What a pyramid gives while auxiliary heads are trained.

    Attributes:
        fused: (B, C, H / 4, W / 4), what the head works on.
        sums: (B, C', ...) each, of LEVELS.
    """

    fused: Tensor
    sums: Sequence[Tensor]


class DBHead(nn.Layer):
    """Features at a quarter of the size → maps of the full size.

    In evaluation it gives the shrink map (B, 1, H, W), the probability of text, and nothing else is computed. In
    training it gives {"maps": (B, 3, H, W)}: the shrink map, the threshold map, and the approximate binary map
    1 / (1 + exp(-k (shrink - threshold))); and by "aux_maps_p4" and so on the same of the auxiliary heads, which
    PP-OCRv6 trains on the sums of its pyramid.

    Args:
        in_channels: of the features.
        k: steepness of the approximate binarization.
        fix_nan: replace what is not a number after the normalisations by 0 while training.
        aux_in_channels: of the pyramid's sums; 0 for no auxiliary heads.
    """

    DECODING = "db"

    def __init__(self, in_channels: int, k: Factor = 50.0, fix_nan: bool = False, aux_in_channels: Natural = 0):
        super().__init__()
        self.k = k
        self.aux_in_channels = aux_in_channels
        self.binarize = Branch(in_channels, fix_nan)
        self.thresh = Branch(in_channels, fix_nan)
        for level in LEVELS if aux_in_channels else ():
            setattr(self, f"aux_binarize_{level}", Branch(aux_in_channels, fix_nan))
            setattr(self, f"aux_thresh_{level}", Branch(aux_in_channels, fix_nan))

    def class_tensors(self) -> list[ClassTensor]:
        """The tensors with one slice per character: none."""
        return []

    def forward(self, features: Tensor | Pyramid) -> Tensor | dict[str, Tensor]:
        """Computes the maps.

        Args:
            features: (B, C, H / 4, W / 4); a pyramid that trains auxiliary heads gives a `Pyramid` while training.
        """
        fused = features.fused if isinstance(features, Pyramid) else features
        if not self.training:
            return self.binarize(fused)
        if self.thresh is None:
            raise InputError("The threshold branch was removed for inference, so this network cannot be trained.")
        maps = {"maps": self._maps(fused, self.binarize, self.thresh)}
        for level, total in zip(LEVELS, features.sums, strict=True) if self.aux_in_channels else ():
            scale = fused.shape[2] // total.shape[2]
            if scale > 1:
                total = F.interpolate(total, scale_factor=scale, mode="bilinear", align_corners=False)
            branches = getattr(self, f"aux_binarize_{level}"), getattr(self, f"aux_thresh_{level}")
            maps[f"aux_maps_{level}"] = self._maps(total, *branches)
        return maps

    def _maps(self, x: Tensor, binarize: Branch, thresh: Branch) -> Tensor:
        shrink, threshold = binarize(x), thresh(x)
        binary = F.sigmoid(self.k * (shrink - threshold))
        return paddle.concat([shrink, threshold, binary], axis=1)  # (B, 3, H, W)

    def drop_auxiliary_branch(self) -> None:
        """Removes the threshold branch and the auxiliary heads, which only training uses."""
        self.thresh = None
        for level in LEVELS if self.aux_in_channels else ():
            delattr(self, f"aux_binarize_{level}")
            delattr(self, f"aux_thresh_{level}")
        self.aux_in_channels = 0
