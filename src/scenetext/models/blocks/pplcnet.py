"""What the backbones PPLCNetV3 and PPLCNetV4 share: their shell of stages, their undecayed layer, their options.

Source: PP-LCNet (Cui et al., arXiv:2109.15099) and its successors in PaddleOCR, ppocr/modeling/backbones/rec_lcnetv3.py
and rec_lcnetv4.py. Both are a stem `conv1` and stages `blocks2`, `blocks3`, ..., each with its own factor on the
learning rate, and a pool at the end.
Different here: that pool averages the whole height and pairs of columns in training, too. PaddleOCR pools adaptively to
40 steps in training and by (3, 2) in evaluation. The two agree at 48x320, and only this form lets each training batch
have its own width.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from paddle import ParamAttr, Tensor, nn
from paddle.nn import functional as F
from paddle.regularizer import L2Decay

from scenetext.config.options import OptionError
from scenetext.models.blocks.layers import FoldableConv, conv2d, freeze

LEARNING_RATES = 6  # of the stem and of the stages 2 to 6


def refuse_other_task(det: bool, is_detector: bool) -> None:
    """Raises OptionError where `det` of a config asks for the backbone of the other task."""
    if det and not is_detector:
        raise OptionError("det is true, which means a detector's backbone; set det: false for text recognition.")
    if is_detector and not det:
        raise OptionError("det is false, which means a recogniser's backbone; set det: true for text detection.")


class UndecayedConvBN(FoldableConv):
    """Convolution, batch normalisation without weight decay, optional activation (keys `conv`, `bn`).

    Args:
        in_channels: channels in.
        out_channels: channels out.
        kernel: side of the convolution; an even one is padded as Paddle's "SAME".
        stride: of both directions, or (down, right).
        groups: groups of channels.
        learning_rate: factor on the optimiser's learning rate for these weights.
        activation: what follows, if anything.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int | tuple[int, int] = 1,
        groups: int = 1,
        learning_rate: float = 1.0,
        activation: nn.Layer | None = None,
    ):
        padding = (kernel - 1) // 2 if kernel % 2 else "SAME"
        undecayed = ParamAttr(regularizer=L2Decay(0.0), learning_rate=learning_rate)
        super().__init__(
            conv2d(in_channels, out_channels, kernel, stride, padding, groups, learning_rate=learning_rate),
            nn.BatchNorm2D(out_channels, weight_attr=undecayed, bias_attr=undecayed),
            activation,
        )


class PPLCNet(nn.Layer):
    """A stem `conv1`, then stages, then the pool. (B, 3, H, W) → (B, C, 1, W/8); H is 32, 48 or 64.

    The subclass adds `conv1` and the stages, and calls `freeze_stages`.

    Args:
        stages: names of the stages, in order.
        lr_mult_list: factors on the learning rate of the stem and of the stages 2 to 6.

    Raises:
        OptionError: `lr_mult_list` has another length than 6.
    """

    def __init__(self, stages: Iterable[str], lr_mult_list: Sequence[float]):
        super().__init__()
        if len(lr_mult_list) != LEARNING_RATES:
            raise OptionError(
                f"lr_mult_list has {len(lr_mult_list)} factors; it takes {LEARNING_RATES}, for the stem and the stages "
                "2 to 6."
            )
        self.stages = tuple(stages)
        self.learning_rates = tuple(lr_mult_list)

    def freeze_stages(self) -> None:
        """Freezes the stem and the stages whose factor is 0, which spares their backward pass."""
        for name, factor in zip(("conv1", *self.stages), self.learning_rates, strict=False):  # V4 has no stage 6
            if factor == 0.0:
                freeze(getattr(self, name))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        for stage in self.stages:
            x = getattr(self, stage)(x)  # the last: (B, C, H/16, W/4)
        return F.avg_pool2d(x, [x.shape[2], 2])  # (B, C, 1, W/8)
