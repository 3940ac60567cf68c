"""PPLCNetV4, the backbone of PP-OCRv6's recognisers (tiny, small, medium).

Source: PP-OCRv6's introduction in PaddleOCR's documentation (June 2026); reference
ppocr/modeling/backbones/rec_lcnetv4.py. No paper is known.
A MetaFormer block (arXiv:2111.11418): a depthwise 3x3 mixes positions, two 1x1 convolutions with GELU mix channels.
The depthwise convolution is that of `rep_depthwise`.
Different here: the closing pool takes the whole height and halves the width in training too, where PaddleOCR pools
adaptively to 40 steps in training and by (3, 2) in evaluation; the two agree at 48x320, and only this form lets a
training batch have a width of its own. Folding keeps the key names (`conv` gains a bias, `bn` goes).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import paddle
from paddle import ParamAttr, Tensor, nn
from paddle.nn import functional as F
from paddle.regularizer import L2Decay

from scenetext.config.kinds import Rate, one_of
from scenetext.errors import InputError
from scenetext.models.blocks.layers import GELU, ConvBN, FoldableConv, SELayer, conv2d, freeze
from scenetext.models.blocks.pplcnet import LEARNING_RATES, check_recogniser
from scenetext.models.blocks.rep_depthwise import RepDepthwise

# (middle, output) channels of the stem, its kind, then per stage the blocks: input, output channels, stride, SE
STRUCTURE = {
    "tiny": {
        "stem": (24, 48),
        "stem_type": "simple",
        "blocks2": [(48, 48, 1, True)],
        "blocks3": [(48, 48, 1, False)],
        "blocks4": [(48, 96, (2, 1), False), (96, 96, 1, True), (96, 96, 1, False)],
        "blocks5": [(96, 160, (2, 1), False), (160, 160, 1, True), (160, 160, 1, False), (160, 160, 1, False)],
    },
    "small": {
        "stem": (48, 96),
        "stem_type": "branch",
        "blocks2": [(96, 96, 1, True)],
        "blocks3": [(96, 96, 1, False)] * 2,
        "blocks4": [(96, 192, (2, 1), False)] + [(192, 192, 1, True), (192, 192, 1, False)] * 3,
        "blocks5": [(192, 384, (2, 1), False), (384, 384, 1, True), (384, 384, 1, False)],
    },
    "medium": {
        "stem": (64, 128),
        "stem_type": "branch",
        "blocks2": [(128, 128, 1, True)],
        "blocks3": [(128, 256, 1, False), (256, 256, 1, False), (256, 256, 1, True)],
        "blocks4": [(256, 512, (2, 1), False)] + [(512, 512, 1, True), (512, 512, 1, False)] * 3,
        "blocks5": [(512, 768, (2, 1), False), (768, 768, 1, True), (768, 768, 1, False)],
    },
}
STAGES = ("blocks2", "blocks3", "blocks4", "blocks5")


def todays_options(options: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The options of an earlier PPLCNetV4 (PaddleOCR's commit 0f37d679) as the class takes them today.

    That one calls the size `config_name`, and its configs say beside it what follows from the size today: the stem's
    kind and channels, and that depthwise convolutions train as branches. Its tiny and small are today's; its base, of
    640 channels, is no network of today.

    Args:
        options: of either.
        place: where they stand in the config.

    Raises:
        InputError: options of no network that is built here.
    """
    options = dict(options)
    if "config_name" in options:
        size = options.pop("config_name")
        if size not in list(STRUCTURE):
            known = ", ".join(STRUCTURE)
            raise InputError(f"{place}.config_name is {size!r}; known are {known}, and the key is model_size today.")
        if options.setdefault("model_size", size) != size:
            raise InputError(
                f"{place}.config_name is {size!r} and model_size {options['model_size']!r}, two names of one option: "
                "leave config_name out."
            )
    size = options.get("model_size", "small")
    told = {key: options.pop(key) for key in ("use_rep", "stem_type", "stem_channels") if key in options}
    if size in list(STRUCTURE):  # another one is the constructor's to refuse
        stem = STRUCTURE[size]
        own = {"use_rep": True, "stem_type": stem["stem_type"], "stem_channels": stem["stem"][1]}
        for key, value in told.items():
            if value != own[key]:
                raise InputError(f"{place}.{key} is {value!r}; the network of size {size} has {own[key]!r}.")
    return options


class ConvBNAct(FoldableConv):
    """Convolution, batch normalisation free of weight decay, ReLU: a layer of the stem (keys `conv`, `bn`)."""

    def __init__(self, in_channels, out_channels, kernel, stride=1, learning_rate=1.0) -> None:
        padding = (kernel - 1) // 2 if kernel % 2 else "SAME"
        undecayed = ParamAttr(regularizer=L2Decay(0.0), learning_rate=learning_rate)
        super().__init__(
            conv2d(in_channels, out_channels, kernel, stride, padding, learning_rate=learning_rate),
            nn.BatchNorm2D(out_channels, weight_attr=undecayed, bias_attr=undecayed),
            nn.ReLU(),
        )


class StemBlock(nn.Layer):
    """(B, 3, H, W) → (B, out, H/4, W/4): beside two 2x2 convolutions a 2x2 max pool keeps the sharp edges."""

    def __init__(self, in_channels, mid_channels, out_channels, learning_rate=1.0) -> None:
        super().__init__()
        half = mid_channels // 2
        self.stem1 = ConvBNAct(in_channels, mid_channels, 3, 2, learning_rate)
        self.stem2a = ConvBNAct(mid_channels, half, 2, 1, learning_rate)
        self.stem2b = ConvBNAct(half, mid_channels, 2, 1, learning_rate)
        self.stem3 = ConvBNAct(mid_channels * 2, mid_channels, 3, 2, learning_rate)
        self.stem4 = ConvBNAct(mid_channels, out_channels, 1, 1, learning_rate)
        self.pool = nn.MaxPool2D(2, 1, padding="SAME")

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem1(x)  # (B, mid, H/2, W/2)
        x = paddle.concat([self.pool(x), self.stem2b(self.stem2a(x))], axis=1)
        return self.stem4(self.stem3(x))  # (B, out, H/4, W/4)


class LCNetV4Block(nn.Layer):
    """Token mixer (depthwise [+ SE]) and channel mixer (1x1 to twice the channels, GELU, 1x1 back)."""

    def __init__(self, in_channels, out_channels, stride, use_se, learning_rate=1.0) -> None:
        super().__init__()
        self.has_skip = in_channels == out_channels and stride == 1
        self.token_mixer = nn.Sequential()
        if self.has_skip:
            conv = ConvBN(in_channels, in_channels, 3, groups=in_channels)
            self.token_mixer.add_sublayer("rep_dw", RepDepthwise(in_channels, conv))
        else:
            self.token_mixer.add_sublayer("dw_conv", ConvBN(in_channels, in_channels, 3, stride, in_channels))
        if use_se:
            self.token_mixer.add_sublayer("se", SELayer(in_channels, learning_rate))
        hidden = in_channels * 2
        self.channel_mixer = nn.Sequential(
            ("expand", ConvBN(in_channels, hidden)),
            ("act", GELU()),
            ("compress", ConvBN(hidden, out_channels, scale=0.0 if self.has_skip else 1.0)),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.token_mixer(x)
        y = self.channel_mixer(x)
        return x + y if self.has_skip else y  # (B, C, H, W)


class PPLCNetV4(nn.Layer):
    """(B, 3, H, W) → (B, out_channels, 1, W/8); H is 32, 48 or 64.

    Args:
        in_channels: channels of the image.
        model_size: "tiny", "small" or "medium".
        lr_mult_list: factors on the learning rate of the stem and of the stages 2 to 6 (there is no stage 6). A
            factor of 0 freezes the whole stage and spares its backward pass.
        det: false; true is the detector's backbone.

    Raises:
        OptionError: `det` is true, or `lr_mult_list` has another length.
    """

    def __init__(
        self,
        in_channels: int = 3,
        model_size: Annotated[str, one_of(*STRUCTURE)] = "small",
        lr_mult_list: tuple[Rate, ...] = (1.0,) * LEARNING_RATES,
        det: bool = False,
    ):
        super().__init__()
        check_recogniser(det, lr_mult_list)
        structure = STRUCTURE[model_size]
        mid, out = structure["stem"]
        if structure["stem_type"] == "branch":
            self.conv1 = StemBlock(in_channels, mid, out, lr_mult_list[0])
        else:
            self.conv1 = nn.Sequential(ConvBN(in_channels, mid, 3, 2), GELU(), ConvBN(mid, out, 3, 2))
        for stage, factor in zip(STAGES, lr_mult_list[1:], strict=False):
            blocks = [LCNetV4Block(*block, learning_rate=factor) for block in structure[stage]]
            self.add_sublayer(stage, nn.Sequential(*blocks))
        for stage, factor in zip(("conv1", *STAGES), lr_mult_list, strict=False):
            if factor == 0.0:
                freeze(getattr(self, stage))
        self.out_channels = structure[STAGES[-1]][-1][1]

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)  # (B, C, H/4, W/4)
        for stage in STAGES:
            x = getattr(self, stage)(x)  # the last: (B, C, H/16, W/4)
        return F.avg_pool2d(x, [x.shape[2], 2])  # (B, C, 1, W/8)
