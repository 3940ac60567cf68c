"""PPLCNetV3, the backbone of PP-OCRv4's and PP-OCRv5's mobile models, for recognition and for detection.

Source: PP-OCRv4's introduction in PaddleOCR's documentation (August 2023), after PP-LCNet (arXiv:2109.15099);
reference ppocr/modeling/backbones/rec_lcnetv3.py. The branches are RepVGG's (arXiv:2101.03697), several of one kind as
in MobileOne (arXiv:2206.04040); the learnable affine, one factor and one shift for a whole map, is EfficientRep's.
Every layer is trained as a sum of normalised branches (k x k four times, 1x1, identity), an affine, hardswish, and a
second affine. PaddleOCR's re-parameterised export sums the branches and keeps both affines. `fuse()` folds as much as
is exact. The first affine becomes part of its own convolution. The second becomes part of the next convolution, with
two exceptions: before a depthwise convolution, which pads with zeros, its shift stays, and before SE, at the end and
where two layers read the output, the whole affine stays. That saves a tenth of the time on CPU;
`scenetext.weights.onnx` folds PaddleOCR's graphs by the same rules.
Different here: `blocks.pplcnet` says how the recogniser's closing pool differs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import paddle
from paddle import ParamAttr, Tensor, nn
from paddle.nn import functional as F
from paddle.nn.initializer import Constant

from scenetext.config.kinds import Count, Factor, Rate
from scenetext.models.blocks.layers import SELayer, biased_conv, conv2d, fold_batch_norm
from scenetext.models.blocks.pplcnet import LEARNING_RATES, PPLCNet, UndecayedConvBN, refuse_other_task

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
# the same of the detector; each of the last four stages hands features on, with so many channels at scale 1
DETECTOR_STRUCTURE = {
    "blocks2": [(3, 16, 32, 1, False)],
    "blocks3": [(3, 32, 64, 2, False), (3, 64, 64, 1, False)],
    "blocks4": [(3, 64, 128, 2, False), (3, 128, 128, 1, False)],
    "blocks5": [(3, 128, 256, 2, False)] + [(5, 256, 256, 1, False)] * 4,
    "blocks6": [(5, 256, 512, 2, True), (5, 512, 512, 1, True)] + [(5, 512, 512, 1, False)] * 2,
}
DETECTOR_CHANNELS = (16, 24, 56, 480)


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

    With the stride 2 of both directions, which only the detector has, the layer ends with the first affine; the second
    one is in the state_dict all the same, as in PaddleOCR.

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
        self.is_activated = stride != 2
        self.fused = False

    def forward(self, x: Tensor) -> Tensor:
        x = self.reparam_conv(x) if self.fused else self.lab(self._sum_of_branches(x))
        return self.act(x) if self.is_activated else x  # (B, C, H, W)

    def _sum_of_branches(self, x: Tensor) -> Tensor:
        total = self.conv_kxk[0](x)
        for branch in [*self.conv_kxk[1:], self.conv_1x1, self.identity]:
            if branch is not None:
                total = total + branch(x)
        return total  # (B, C, H, W)

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
        if not self.is_activated:
            self.act.lab = None
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


class _Stages(PPLCNet):
    """The stem and the stages, which the recogniser's and the detector's backbone share.

    Args:
        structure: the blocks of each stage.
        in_channels, scale, conv_kxk_num, lr_mult_list, lab_lr: see PPLCNetV3.
    """

    def __init__(
        self,
        structure: Mapping[str, Sequence[tuple]],
        in_channels: int,
        scale: float,
        conv_kxk_num: int,
        lr_mult_list: Sequence[float],
        lab_lr: float,
    ):
        super().__init__(structure, lr_mult_list)
        self.conv1 = UndecayedConvBN(in_channels, scaled(STEM_CHANNELS, scale), 3, 2, learning_rate=lr_mult_list[0])
        for (stage, rows), factor in zip(structure.items(), lr_mult_list[1:], strict=True):
            blocks = [
                LCNetV3Block(
                    kernel, scaled(before, scale), scaled(after, scale), stride, use_se, conv_kxk_num, factor, lab_lr
                )
                for kernel, before, after, stride, use_se in rows
            ]
            self.add_sublayer(stage, nn.Sequential(*blocks))
        self.freeze_stages()

    def fuse_stages(self, read_twice: Collection[str] = ()) -> None:
        """Makes every layer one convolution and folds affines into the next one where that is exact, in place.

        A second call changes nothing.

        Args:
            read_twice: the stages whose output another layer reads, too.
        """
        before = None
        for stage in self.stages:
            for block in getattr(self, stage):
                block.dw_conv.fuse()
                block.pw_conv.fuse()
                if before is not None:
                    before.act.fold_into(block.dw_conv.reparam_conv)
                if block.se is None and block.dw_conv.is_activated:
                    block.dw_conv.act.fold_into(block.pw_conv.reparam_conv)
                before = block.pw_conv
            before = None if stage in read_twice else before


class PPLCNetV3(_Stages):
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
        refuse_other_task(det, is_detector=False)
        super().__init__(STRUCTURE, in_channels, scale, conv_kxk_num, lr_mult_list, lab_lr)
        self.out_channels = scaled(STRUCTURE["blocks6"][-1][2], scale)

    def fuse(self) -> None:
        """See `fuse_stages`."""
        self.fuse_stages()


class PPLCNetV3Detector(_Stages):
    """(B, 3, H, W) → features of `out_channels` at 1/4, 1/8, 1/16 and 1/32 of the size.

    Args:
        in_channels, conv_kxk_num, lr_mult_list, lab_lr: see PPLCNetV3.
        scale: factor on all channel counts; PP-OCRv4 and v5 mobile have 0.75.
        det: must be true.

    Raises:
        OptionError: `det` is false, or `lr_mult_list` has another length.
    """

    def __init__(
        self,
        in_channels: int,
        scale: Factor = 1.0,
        conv_kxk_num: Count = 4,
        lr_mult_list: tuple[Rate, ...] = (1.0,) * LEARNING_RATES,
        lab_lr: Rate = 0.1,
        det: bool = True,
    ):
        refuse_other_task(det, is_detector=True)
        super().__init__(DETECTOR_STRUCTURE, in_channels, scale, conv_kxk_num, lr_mult_list, lab_lr)
        self.output_stages = self.stages[-len(DETECTOR_CHANNELS) :]
        self.out_channels = [int(channels * scale) for channels in DETECTOR_CHANNELS]
        widths = [scaled(DETECTOR_STRUCTURE[stage][-1][2], scale) for stage in self.output_stages]
        self.layer_list = nn.LayerList(
            [conv2d(before, after, 1, bias=True) for before, after in zip(widths, self.out_channels, strict=True)]
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        x, features = self.conv1(x), []
        for stage in self.stages:
            x = getattr(self, stage)(x)
            if stage in self.output_stages:
                features.append(x)
        return [conv(feature) for conv, feature in zip(self.layer_list, features, strict=True)]

    def fuse(self) -> None:
        """See `fuse_stages`."""
        *twice, last = self.output_stages
        self.fuse_stages(read_twice=twice)
        getattr(self, last)[-1].pw_conv.act.fold_into(self.layer_list[-1])
