"""A depthwise separable convolution over time steps: each step sees its neighbours before the classifier.

PP-OCRv6 tiny has it before its CTC head, in place of a neck, and PaddleOCR switches it on by the head's option
`use_guide`. That option has nothing to do with the `use_guide` of the necks, which stops a gradient (see MultiHead).
Source: PP-OCRv6's introduction in PaddleOCR's documentation (June 2026); references: the released network in paddlex,
text_recognition/modeling/pp_ocrv6_tiny_rec.py, and ppocr/modeling/heads/rec_ctc_head.py (`guide_layer`). A depthwise
and a pointwise convolution in place of a full one are MobileNet's (Howard et al., arXiv:1704.04861, section 3.1).
"""

from __future__ import annotations

import math

import paddle
from paddle import ParamAttr, Tensor, nn
from paddle.nn.initializer import Normal

STEPS = 5  # that the depthwise convolution sees at once


class SeparableConv1D(nn.Sequential):
    """A depthwise convolution over 5 steps, then a pointwise one, each normalised. (B, T, D) → (B, T, D).

    The keys are `0`, `1` (depthwise convolution, normalisation) and `3`, `4` (pointwise).

    Args:
        dim: D.
    """

    def __init__(self, dim: int):
        depthwise = _conv1d(dim, STEPS, dim), nn.BatchNorm1D(dim), nn.Hardswish()
        pointwise = _conv1d(dim, 1, 1), nn.BatchNorm1D(dim), nn.Hardswish()
        super().__init__(*depthwise, *pointwise)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose([0, 2, 1])).transpose([0, 2, 1])  # (B, T, D)

    @paddle.no_grad()
    def fuse(self) -> None:
        """Folds the normalisations into the convolutions, in place; a second call changes nothing."""
        for index in (0, 3):
            conv, bn = self[index], self[index + 1]
            if not isinstance(bn, nn.BatchNorm1D):
                continue
            factor = bn.weight / paddle.sqrt(bn._variance + bn._epsilon)  # (D,)
            folded = nn.Conv1D(
                conv._in_channels, conv._out_channels, conv._kernel_size, padding=conv._padding, groups=conv._groups
            )
            folded.weight.set_value(conv.weight * factor.reshape([-1, 1, 1]))
            folded.bias.set_value(bn.bias - bn._mean * factor)
            self[index], self[index + 1] = folded, nn.Identity()


def _conv1d(dim: int, kernel: int, groups: int) -> nn.Conv1D:
    """A convolution over steps without a bias, with He initialisation over its real fan-in (arXiv:1502.01852)."""
    weight = ParamAttr(initializer=Normal(0.0, math.sqrt(2.0 * groups / (kernel * dim))))
    return nn.Conv1D(dim, dim, kernel, padding=kernel // 2, groups=groups, weight_attr=weight, bias_attr=False)
