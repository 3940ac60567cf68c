"""Train.dataset.transforms and Eval.dataset.transforms: what happens to a line on its way to the network."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from scenetext.config.kinds import (
    IMAGE_SHAPE,
    INT,
    JOINED_SHAPE,
    PAIRS_OF_SIDES,
    SHARE,
    Flag,
    Share,
    UnreadFlag,
    UnreadInt,
    UnreadShare,
    UnreadText,
    UnreadTexts,
    between,
    one_of,
    optional,
)
from scenetext.config.section import Operations, Section
from scenetext.config.sections import detection

MOST_JOINED = 1000
MOST_RATIO = 100  # of a line's width to its height: 3,200 pixels of 32
OptionalShare = Annotated[float | None, optional(SHARE)]


class DecodeImage(Section):
    """From a file's bytes to pixels."""

    img_mode: Annotated[str, one_of("BGR")] = Field("BGR", description="order of the colours")
    channel_first: Annotated[bool, one_of(False)] = Field(False, description="colours before rows")


class RecAug(Section):
    """Geometric and photometric changes; see `data.augment`."""

    prob: Share = Field(0.4, description="(ours) share of the pictures, for all of the following that have none")
    tia_prob: OptionalShare = Field(None, description="share of the pictures warped")
    crop_prob: OptionalShare = Field(None, description="share of the pictures cropped above or below")
    blur_prob: OptionalShare = Field(None, description="share of the pictures blurred")
    hsv_aug_prob: OptionalShare = Field(None, description="share of the pictures made lighter or darker")
    jitter_prob: OptionalShare = Field(None, description="share of the pictures shifted")
    noise_prob: OptionalShare = Field(None, description="share of the pictures made noisy")
    reverse_prob: OptionalShare = Field(None, description="share of the pictures turned into their negative")

    @property
    def shares(self) -> dict[str, float]:
        """The share of each change by its setting's name, `prob` where it has none of its own."""
        own = {key: getattr(self, key) for key in type(self).model_fields if key != "prob"}
        return {key: self.prob if share is None else share for key, share in own.items()}


class RecConAug(Section):
    """Appends other lines to a line."""

    prob: Share = Field(0.5, description="share of the lines joined with others")
    ext_data_num: Annotated[int, between(INT, 0, MOST_JOINED)] = Field(2, description="most others joined")
    image_shape: Annotated[list[int] | None, optional(JOINED_SHAPE)] = Field(
        None,
        description="height, width in pixels and channels: of what shape a joined line is at most; none = the resize",
    )
    max_text_length: UnreadInt = Field(None, description="Global.max_text_length counts")


class LineAug(Section):
    """(ours) What crops of web pictures show and RecAug does not make; see `data.line_aug`."""

    low_resolution_prob: Share = Field(0.0, description="share of the pictures shrunk to 10 to 23 pixels of height")
    blur_prob: Share = Field(0.0, description="share of the pictures out of focus or moved")
    crop_prob: Share = Field(0.0, description="share of the pictures cropped more tightly or loosely on each side")
    sideways_prob: Share = Field(0.0, description="share of the lines of full-width letters with letters on their side")
    rows_prob: Share = Field(0.0, description="share of the lines with another line beneath, whose label follows")


class SVTRRecAug(Section):
    """Further changes of PaddleOCR's."""

    UNREAD: ClassVar[bool] = True
    aug_type: UnreadInt = Field(None, description="0 = one of the warps, 1 = several")
    geometry_p: UnreadShare = Field(None, description="share of the pictures warped")
    deterioration_p: UnreadShare = Field(None, description="share of the pictures made worse")
    colorjitter_p: UnreadShare = Field(None, description="share of the pictures coloured")


class LabelEncode(Section):
    """From a label to classes. PaddleOCR lets Global's values of the same names win, and so they do here."""

    max_text_length: UnreadInt = Field(None, description="Global.max_text_length counts")
    character_dict_path: UnreadText = Field(None, description="Global.character_dict_path counts")
    use_space_char: UnreadFlag = Field(None, description="Global.use_space_char counts")


class CTCLabelEncode(LabelEncode):
    """For CTC."""


class AttnLabelEncode(LabelEncode):
    """For RARE's decoder."""


class NRTRLabelEncode(LabelEncode):
    """For NRTR's decoder."""


class MultiLabelEncode(LabelEncode):
    """For several heads."""

    gtc_encode: UnreadText = Field(None, description="the heads say which labels they need")


class Resize(Section):
    """To the height, and on the canvas, of the network."""

    image_shape: Annotated[list[int], IMAGE_SHAPE] = Field(description="channels, height and width in pixels")
    padding: Flag = Field(
        True, description="keep proportions and pad; false stretches (networks of one input size only)"
    )
    eval_mode: UnreadFlag = Field(None, description="evaluation never squeezes long lines to the width")
    infer_mode: UnreadFlag = Field(None, description="prediction never squeezes long lines to the width")
    character_dict_path: UnreadText = Field(None, description="Global.character_dict_path counts")


class RecResizeImg(Resize):
    """The resize of most networks."""


class SVTRRecResizeImg(Resize):
    """SVTR's resize."""


class MultiSizeResize(Resize):
    """(ours) Stretches each line to one of several sizes, chosen by how many times wider than high it is.

    This is SVTRv2's multi-size resizing (MSR), which OpenOCR does in its RatioDataSetTVResize.
    """

    image_shape: Annotated[list[int], IMAGE_SHAPE] = Field(
        [3, 32, 128], description="channels, the height of lines beyond base_shape, and a width to reckon batches by"
    )
    base_shape: Annotated[list[list[int]], PAIRS_OF_SIDES] = Field(
        [[64, 64], [96, 48], [112, 40], [128, 32]],
        description="width and height in pixels of lines once, twice, ... as wide as high",
    )
    max_ratio: Annotated[int, between(INT, 1, MOST_RATIO)] = Field(
        12, description="lines that are more times wider than high are squeezed to it"
    )
    padding: Annotated[bool, one_of(False)] = Field(False, description="lines fill the canvas")

    @property
    def sizes_px(self) -> list[tuple[int, int]]:
        """Width and height of the canvas of each ratio, from 1 on."""
        height = self.image_shape[1]
        sizes = [*map(tuple, self.base_shape)]
        sizes += [(height * ratio, height) for ratio in range(len(sizes) + 1, self.max_ratio + 1)]
        return sizes[: self.max_ratio]


class KeepKeys(Section):
    """Which arrays of a batch PaddleOCR keeps."""

    UNREAD: ClassVar[bool] = True
    keep_keys: UnreadTexts = Field(None, description="order of a batch's arrays")


Transforms = Annotated[
    list[Section],
    Operations(
        DecodeImage,
        RecAug,
        RecConAug,
        LineAug,
        SVTRRecAug,
        CTCLabelEncode,
        AttnLabelEncode,
        NRTRLabelEncode,
        MultiLabelEncode,
        RecResizeImg,
        SVTRRecResizeImg,
        MultiSizeResize,
        KeepKeys,
        *detection.TRANSFORMS,
    ),
]
