"""The guide before the CTC head of PP-OCRv6 tiny, which has no neck: every step looks at two steps on either side.

Source: PP-OCRv6's introduction in PaddleOCR's documentation (June 2026); reference the released network in paddlex,
text_recognition/modeling/pp_ocrv6_tiny_rec.py, and ppocr/modeling/heads/rec_ctc_head.py (`use_guide`). No paper is
known.
It has nothing to do with the `use_guide` of the necks, which stops a gradient.
"""

from __future__ import annotations

import math

import paddle
from paddle import ParamAttr, Tensor, nn
from paddle.nn.initializer import Normal


class Guide(nn.Sequential):
    """A depthwise convolution over 5 steps, then one over channels, each normalised. (B, T, D) → (B, T, D).

    The keys are `0`, `1` (depthwise convolution, normalisation) and `3`, `4` (over channels).
    """

    def __init__(self, dim: int):
        across_steps = _conv1d(dim, 5, dim), nn.BatchNorm1D(dim), nn.Hardswish()
        across_channels = _conv1d(dim, 1, 1), nn.BatchNorm1D(dim), nn.Hardswish()
        super().__init__(*across_steps, *across_channels)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose([0, 2, 1])).transpose([0, 2, 1])  # (B, T, D)

    @paddle.no_grad()
    def fuse(self) -> None:
        """Folds the normalisations into the convolutions, in place; once folded, does nothing."""
        for place in (0, 3):
            conv, bn = self[place], self[place + 1]
            if not isinstance(bn, nn.BatchNorm1D):
                continue
            factor = bn.weight / paddle.sqrt(bn._variance + bn._epsilon)  # (D,)
            folded = nn.Conv1D(
                conv._in_channels, conv._out_channels, conv._kernel_size, padding=conv._padding, groups=conv._groups
            )
            folded.weight.set_value(conv.weight * factor.reshape([-1, 1, 1]))
            folded.bias.set_value(bn.bias - bn._mean * factor)
            self[place], self[place + 1] = folded, nn.Identity()


def _conv1d(dim: int, kernel: int, groups: int) -> nn.Conv1D:
    """A convolution over steps without a bias, with He initialisation over its real fan-in (arXiv:1502.01852)."""
    weight = ParamAttr(initializer=Normal(0.0, math.sqrt(2.0 * groups / (kernel * dim))))
    return nn.Conv1D(dim, dim, kernel, padding=kernel // 2, groups=groups, weight_attr=weight, bias_attr=False)
