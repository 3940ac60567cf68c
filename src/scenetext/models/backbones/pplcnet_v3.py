"""PPLCNetV3, the backbone of PP-OCRv4's and PP-OCRv5's mobile recognition models.

Source: PP-OCRv4's introduction in PaddleOCR's documentation (August 2023), after PP-LCNet (arXiv:2109.15099);
reference ppocr/modeling/backbones/rec_lcnetv3.py. The branches are RepVGG's (arXiv:2101.03697), several of one kind as
in MobileOne (arXiv:2206.04040); the learnable affine, one factor and one shift for a whole map, is EfficientRep's.
Every layer is trained as a sum of normalised branches (k x k four times, 1x1, identity), an affine, hardswish, and a
second affine. PaddleOCR's re-parameterised export sums the branches and keeps both affines. `fuse()` folds as much as
is exact. The first affine becomes part of its own convolution. The second becomes part of the next convolution, with
two exceptions: before a depthwise convolution, which pads with zeros, its shift stays, and before SE and at the end the
whole affine stays. That saves a tenth of the time on CPU; `scenetext.weights.onnx` folds PaddleOCR's graphs by the same
rules.
Different here: only the strides for text recognition are built; `blocks.pplcnet` says how the closing pool differs.
"""

from __future__ import annotations

import paddle
from paddle import ParamAttr, Tensor, nn
from paddle.nn import functional as F
from paddle.nn.initializer import Constant

from scenetext.config.kinds import Count, Factor, Rate
from scenetext.models.blocks.layers import SELayer, biased_conv, conv2d, fold_batch_norm
from scenetext.models.blocks.pplcnet import LEARNING_RATES, PPLCNet, UndecayedConvBN

STEM_CHANNELS = 16
# the blocks of each stage: kernel, input and output channels at scale 1, stride, squeeze and excite
STRUCTURE = {
    "blocks2": [(3, 16, 32, 1, False)],
    "blocks3": [(3, 32, 64, 1, False), (3, 64, 64, 1, False)],
    "blocks4": [(3, 64, 128, (2, 1), False), (3, 128, 128, 1, False)],
    "blocks5": [(3, 128, 256, (1, 2), False)] + [(5, 256, 256, 1, False)] * 4,
    "blocks6": [
        (5, 256, 512, (2, 1), True),
        (5, 512, 512, 1, True),
        (5, 512, 512, (2, 1), False),
        (5, 512, 512, 1, False),
    ],
}


def scaled(channels: int, scale: float) -> int:
    """`channels * scale`, rounded to a multiple of 16: at least 16, and at least nine tenths of the exact product."""
    exact = channels * scale
    rounded = max(16, int(exact + 8) // 16 * 16)
    return rounded if rounded >= 0.9 * exact else rounded + 16


class LearnableAffine(nn.Layer):
    """x * scale + bias, two learned numbers for a whole map (PaddleOCR's "lab"); `scale` is None once it is folded.

    Args:
        learning_rate: factor on the optimiser's learning rate for both.
    """

    def __init__(self, learning_rate: float):
        super().__init__()

        def number(value: float) -> Tensor:
            attr = ParamAttr(initializer=Constant(value), learning_rate=learning_rate)
            return self.create_parameter([1], attr=attr)

        self.scale = number(1.0)
        self.bias = number(0.0)

    def forward(self, x: Tensor) -> Tensor:
        return (x if self.scale is None else x * self.scale) + self.bias  # (B, C, H, W)


class Act(nn.Layer):
    """Hardswish, then an affine; `lab` is None once it is folded.

    Args:
        lab_learning_rate: factor on the optimiser's learning rate for the affine.
    """

    def __init__(self, lab_learning_rate: float):
        super().__init__()
        self.lab = LearnableAffine(lab_learning_rate)

    def forward(self, x: Tensor) -> Tensor:
        x = F.hardswish(x)
        return x if self.lab is None else self.lab(x)  # (B, C, H, W)

    @paddle.no_grad()
    def fold_into(self, conv: nn.Conv2D) -> None:
        """Folds the affine into the next convolution, in place; the shift stays here if that one is padded.

        Args:
            conv: the only layer that reads this output.
        """
        if self.lab is None or self.lab.scale is None:
            return
        factor = self.lab.scale.clone()
        if conv.weight.shape[2] == 1:
            conv.bias.set_value(conv.bias + conv.weight.sum([1, 2, 3]) * self.lab.bias)
            self.lab = None
        else:
            self.lab.bias.set_value(self.lab.bias / factor)  # w (s x + t) = (s w) (x + t / s)
            self.lab.scale = None
        conv.weight.set_value(conv.weight * factor)


class LearnableRepLayer(nn.Layer):
    """A convolution trained as the sum of its branches, then affine, hardswish, affine.

    (B, in_channels, H, W) → (B, out_channels, H / stride, W / stride).

    Args:
        in_channels, out_channels, kernel, stride, groups: of the convolution.
        branches: number of k x k branches.
        learning_rate: factor on the optimiser's learning rate.
        lab_lr: a further factor for the affines.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int | tuple[int, int],
        groups: int,
        branches: int,
        learning_rate: float,
        lab_lr: float,
    ):
        super().__init__()
        self.groups = groups
        self.identity = None
        if in_channels == out_channels and stride == 1:
            attr = ParamAttr(learning_rate=learning_rate)
            self.identity = nn.BatchNorm2D(in_channels, weight_attr=attr, bias_attr=attr)
        geometry = (stride, groups, learning_rate)
        self.conv_kxk = nn.LayerList(
            [UndecayedConvBN(in_channels, out_channels, kernel, *geometry) for _ in range(branches)]
        )
        self.conv_1x1 = UndecayedConvBN(in_channels, out_channels, 1, *geometry) if kernel > 1 else None
        self.lab = LearnableAffine(learning_rate * lab_lr)
        self.act = Act(learning_rate * lab_lr)
        self.fused = False

    def forward(self, x: Tensor) -> Tensor:
        if self.fused:
            return self.act(self.reparam_conv(x))
        total = self.conv_kxk[0](x)
        for branch in [*self.conv_kxk[1:], self.conv_1x1, self.identity]:
            if branch is not None:
                total = total + branch(x)
        return self.act(self.lab(total))  # (B, C, H, W)

    @paddle.no_grad()
    def fuse(self) -> None:
        """Sums the branches into one convolution with the affine, in place; a second call changes nothing."""
        if self.fused:
            return
        branches = [fold_batch_norm(branch.conv, branch.bn) for branch in self.conv_kxk]
        if self.conv_1x1 is not None:
            branches.append(fold_batch_norm(self.conv_1x1.conv, self.conv_1x1.bn))
        if self.identity is not None:
            branches.append(fold_batch_norm(self._identity_conv(), self.identity))
        weight = sum(_centred(branch.weight, branches[0]) for branch in branches)
        bias = sum(branch.bias for branch in branches)
        scale, shift = self.lab.scale, self.lab.bias
        self.reparam_conv = biased_conv(self.conv_kxk[0].conv, weight * scale, bias * scale + shift)
        del self.identity, self.conv_kxk, self.conv_1x1, self.lab
        self.fused = True

    def _identity_conv(self) -> nn.Conv2D:
        """The 1x1 convolution that changes nothing."""
        channels = self.identity.weight.shape[0]
        conv = conv2d(channels, channels, 1, groups=self.groups)
        rows = paddle.eye(channels // self.groups).tile([self.groups, 1])  # row i picks channel i of its group
        conv.weight.set_value(rows.reshape(conv.weight.shape))
        return conv


def _centred(kernel: Tensor, like: nn.Conv2D) -> Tensor:
    """A kernel (out, in / groups, h, w), padded with zeros to the size of `like`'s."""
    margin = (like.weight.shape[2] - kernel.shape[2]) // 2
    return F.pad(kernel, [margin] * 4)


class LCNetV3Block(nn.Layer):
    """A depthwise layer, optional squeeze and excite, a pointwise layer.

    Args:
        kernel, stride: of the depthwise layer.
        in_channels, out_channels: channels in and out.
        use_se: whether squeeze and excite stands between the layers.
        branches, learning_rate, lab_lr: as in `LearnableRepLayer`.
    """

    def __init__(
        self,
        kernel: int,
        in_channels: int,
        out_channels: int,
        stride: int | tuple[int, int],
        use_se: bool,
        branches: int,
        learning_rate: float,
        lab_lr: float,
    ):
        super().__init__()
        rates = (branches, learning_rate, lab_lr)
        self.dw_conv = LearnableRepLayer(in_channels, in_channels, kernel, stride, in_channels, *rates)
        self.se = SELayer(in_channels, learning_rate) if use_se else None
        self.pw_conv = LearnableRepLayer(in_channels, out_channels, 1, 1, 1, *rates)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dw_conv(x)
        if self.se is not None:
            x = self.se(x)
        return self.pw_conv(x)  # (B, C, H, W)


class PPLCNetV3(PPLCNet):
    """(B, 3, H, W) → (B, out_channels, 1, W/8); H is 32, 48 or 64.

    Args:
        in_channels: channels of the image.
        scale: factor on all channel counts; PP-OCRv4 and v5 mobile have 0.95, which makes 480 of 512.
        conv_kxk_num: branches with the full kernel.
        lr_mult_list: factors on the learning rate of the stem and of the stages 2 to 6. A factor of 0 freezes the
            whole stage and spares its backward pass.
        lab_lr: a further factor for the affines.
        det: must be false; true means the detector's backbone.

    Raises:
        OptionError: `det` is true, or `lr_mult_list` has another length.
    """

    def __init__(
        self,
        in_channels: int,
        scale: Factor = 1.0,
        conv_kxk_num: Count = 4,
        lr_mult_list: tuple[Rate, ...] = (1.0,) * LEARNING_RATES,
        lab_lr: Rate = 0.1,
        det: bool = False,
    ):
        super().__init__(STRUCTURE, det, lr_mult_list)
        self.conv1 = UndecayedConvBN(in_channels, scaled(STEM_CHANNELS, scale), 3, 2, learning_rate=lr_mult_list[0])
        for (stage, rows), factor in zip(STRUCTURE.items(), lr_mult_list[1:], strict=True):
            blocks = [
                LCNetV3Block(
                    kernel, scaled(before, scale), scaled(after, scale), stride, use_se, conv_kxk_num, factor, lab_lr
                )
                for kernel, before, after, stride, use_se in rows
            ]
            self.add_sublayer(stage, nn.Sequential(*blocks))
        self.freeze_stages()
        self.out_channels = scaled(STRUCTURE["blocks6"][-1][2], scale)

    def fuse(self) -> None:
        """Makes every layer one convolution and folds affines into the next one where that is exact, in place.

        A second call changes nothing.
        """
        before = None
        for block in (block for stage in STRUCTURE for block in getattr(self, stage)):
            block.dw_conv.fuse()
            block.pw_conv.fuse()
            if before is not None:
                before.act.fold_into(block.dw_conv.reparam_conv)
            if block.se is None:
                block.dw_conv.act.fold_into(block.pw_conv.reparam_conv)
            before = block.pw_conv
