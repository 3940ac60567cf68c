"""PPLCNetV4, the backbone of PP-OCRv6's models for recognition and for detection (tiny, small, medium).

Source: PP-OCRv6's introduction in PaddleOCR's documentation (June 2026); reference
ppocr/modeling/backbones/rec_lcnetv4.py. No paper is known.
Its block is a MetaFormer block (arXiv:2111.11418): a depthwise 3x3 convolution mixes positions, two 1x1 convolutions
with GELU mix channels. The depthwise convolution is that of `rep_depthwise`.
Different here: `blocks.pplcnet` says how the closing pool differs. Folding keeps the key names (`conv` gains a bias,
`bn` disappears).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import paddle
from paddle import Tensor, nn

from scenetext.config.kinds import Rate, one_of
from scenetext.errors import InputError
from scenetext.models.blocks.layers import GELU, ConvBN, SELayer
from scenetext.models.blocks.pplcnet import LEARNING_RATES, PPLCNet, UndecayedConvBN, refuse_other_task
from scenetext.models.blocks.rep_depthwise import RepDepthwise

# (middle, output) channels of the stem, its kind, then the blocks of each stage: input and output channels, stride,
# squeeze and excite
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
DEFAULT_SIZE = "small"
# the detector: (middle, output) channels of the stem, channels of each stage's blocks, and which have squeeze and
# excite; a stage begins with a block of stride 2, except for the first
DETECTOR_STRUCTURE = {
    "tiny": {"stem": (16, 32), "channels": (32, 48, 64, 160)},
    "small": {"stem": (24, 48), "channels": (48, 96, 192, 384)},
    "medium": {"stem": (64, 128), "channels": (128, 256, 512, 896)},
}
DETECTOR_BLOCKS = {
    "blocks_s1": (True, False),
    "blocks_s2": (True, False),
    "blocks_s3": (True, False, True, False),
    "blocks_s4": (True, False),
}


def current_options(options: Mapping[str, Any], location: str) -> dict[str, Any]:
    """Translates the options of an earlier PPLCNetV4 (PaddleOCR's commit 0f37d679) to those of the present class.

    The earlier class calls the size `config_name`. Its configs also hold what now follows from the size: the stem's
    kind and channels, and that depthwise convolutions are trained as branches. Its sizes tiny and small are the present
    ones; its size base, with 640 channels, exists no more.

    Args:
        options: of the earlier or of the present class.
        location: of these options in the config, for messages.

    Returns:
        The options of the present class.

    Raises:
        InputError: the options describe a network that is not built here.
    """
    options = dict(options)
    if "config_name" in options:
        size = options.pop("config_name")
        if size not in list(STRUCTURE):
            known = ", ".join(STRUCTURE)
            raise InputError(f"{location}.config_name is {size!r}; known are {known}, and the key is now model_size.")
        if options.setdefault("model_size", size) != size:
            raise InputError(
                f"{location}.config_name is {size!r} and model_size {options['model_size']!r}, two names of one "
                "option: leave config_name out."
            )
    size = options.get("model_size", DEFAULT_SIZE)
    implied = {key: options.pop(key) for key in ("use_rep", "stem_type", "stem_channels") if key in options}
    if size in list(STRUCTURE):  # the constructor refuses other sizes
        stem = STRUCTURE[size]
        expected = {"use_rep": True, "stem_type": stem["stem_type"], "stem_channels": stem["stem"][1]}
        for key, value in implied.items():
            if value != expected[key]:
                raise InputError(f"{location}.{key} is {value!r}; the network of size {size} has {expected[key]!r}.")
    return options


class StemBlock(nn.Layer):
    """(B, 3, H, W) → (B, out, H/4, W/4); a 2x2 max pool, parallel to two 2x2 convolutions, keeps sharp edges.

    Args:
        in_channels: channels of the image.
        mid_channels: channels inside.
        out_channels: channels out.
        learning_rate: factor on the optimiser's learning rate.
    """

    def __init__(self, in_channels: int, mid_channels: int, out_channels: int, learning_rate: float = 1.0):
        super().__init__()

        def layer(before: int, after: int, kernel: int, stride: int) -> UndecayedConvBN:
            return UndecayedConvBN(before, after, kernel, stride, learning_rate=learning_rate, activation=nn.ReLU())

        half = mid_channels // 2
        self.stem1 = layer(in_channels, mid_channels, 3, 2)
        self.stem2a = layer(mid_channels, half, 2, 1)
        self.stem2b = layer(half, mid_channels, 2, 1)
        self.stem3 = layer(mid_channels * 2, mid_channels, 3, 2)
        self.stem4 = layer(mid_channels, out_channels, 1, 1)
        self.pool = nn.MaxPool2D(2, 1, padding="SAME")

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem1(x)  # (B, mid, H/2, W/2)
        x = paddle.concat([self.pool(x), self.stem2b(self.stem2a(x))], axis=1)
        return self.stem4(self.stem3(x))  # (B, out, H/4, W/4)


class LCNetV4Block(nn.Layer):
    """Token mixer (depthwise [+ SE]) and channel mixer (1x1 to twice the channels, GELU, 1x1 back).

    Args:
        in_channels, out_channels: channels in and out.
        stride: of both directions, or (down, right).
        use_se: whether the token mixer ends with squeeze and excite.
        learning_rate: factor on the optimiser's learning rate; squeeze and excite alone has it.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int | tuple[int, int],
        use_se: bool,
        learning_rate: float = 1.0,
    ):
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


class PPLCNetV4(PPLCNet):
    """(B, 3, H, W) → (B, out_channels, 1, W/8); H is 32, 48 or 64.

    Args:
        in_channels: channels of the image.
        model_size: "tiny", "small" or "medium".
        lr_mult_list: factors on the learning rate of the stem ("branch" only) and of the squeeze and excite layers of
            the stages 2 to 6 (there is no stage 6), as in PaddleOCR. A factor of 0 freezes the whole stage and spares
            its backward pass.
        det: must be false; true means the detector's backbone.

    Raises:
        OptionError: `det` is true, or `lr_mult_list` has another length.
    """

    def __init__(
        self,
        in_channels: int,
        model_size: Annotated[str, one_of(*STRUCTURE)] = DEFAULT_SIZE,
        lr_mult_list: tuple[Rate, ...] = (1.0,) * LEARNING_RATES,
        det: bool = False,
    ):
        refuse_other_task(det, is_detector=False)
        super().__init__(STAGES, lr_mult_list)
        structure = STRUCTURE[model_size]
        mid, out = structure["stem"]
        if structure["stem_type"] == "branch":
            self.conv1 = StemBlock(in_channels, mid, out, lr_mult_list[0])
        else:
            self.conv1 = nn.Sequential(ConvBN(in_channels, mid, 3, 2), GELU(), ConvBN(mid, out, 3, 2))
        for stage, factor in zip(STAGES, lr_mult_list[1:], strict=False):
            blocks = [LCNetV4Block(*block, learning_rate=factor) for block in structure[stage]]
            self.add_sublayer(stage, nn.Sequential(*blocks))
        self.freeze_stages()
        self.out_channels = structure[STAGES[-1]][-1][1]


class PPLCNetV4Detector(nn.Layer):
    """(B, 3, H, W) → features of `out_channels` at 1/4, 1/8, 1/16 and 1/32 of the size.

    Args:
        in_channels: channels of the image.
        model_size: "tiny", "small" or "medium".
        det: must be true.

    Raises:
        OptionError: `det` is false.
    """

    def __init__(
        self,
        in_channels: int,
        model_size: Annotated[str, one_of(*DETECTOR_STRUCTURE)] = DEFAULT_SIZE,
        det: bool = True,
    ):
        refuse_other_task(det, is_detector=True)
        super().__init__()
        structure = DETECTOR_STRUCTURE[model_size]
        self.stem = StemBlock(in_channels, *structure["stem"])
        before = structure["stem"][1]
        self.out_channels = list(structure["channels"])
        for (stage, excites), channels in zip(DETECTOR_BLOCKS.items(), self.out_channels, strict=True):
            blocks = [] if stage == "blocks_s1" else [LCNetV4Block(before, channels, 2, use_se=False)]
            blocks += [LCNetV4Block(channels, channels, 1, use_se) for use_se in excites]
            self.add_sublayer(stage, nn.Sequential(*blocks))
            before = channels

    def forward(self, x: Tensor) -> list[Tensor]:
        x, features = self.stem(x), []
        for stage in DETECTOR_BLOCKS:
            x = getattr(self, stage)(x)
            features.append(x)
        return features
