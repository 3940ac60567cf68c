"""What only a detector's configuration has: its transforms, its loss, its metric and how boxes are made of its maps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from scenetext.config.kinds import (
    ABOVE_0,
    BOOL,
    COUNT,
    FLOAT,
    INT,
    SHARE,
    SIDES,
    Count,
    Factor,
    Flag,
    Kind,
    Natural,
    Rate,
    Share,
    UnreadInt,
    between,
    one_of,
    optional,
)
from scenetext.config.section import Named, Section, wrong_below

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LARGEST_SIDE = 20_000  # pixels, of a resized photo
OptionalSide = Annotated[int | None, optional(between(INT, 1, LARGEST_SIDE))]


def _scale(value: Any) -> float:
    """1 / 255 as a number, or as PaddleOCR's quotient in words, `1./255.`."""
    parts = value.split("/") if isinstance(value, str) else [value]
    if len(parts) > 2:
        raise ValueError
    above, below = ABOVE_0.convert(parts[0]), ABOVE_0.convert(parts[1]) if parts[1:] else 1.0
    if not math.isclose(above / below, 1 / 255, rel_tol=1e-5):
        raise ValueError
    return 1 / 255


def _three(convert: Any) -> Any:
    def converted(value: Any) -> list[float]:
        if not isinstance(value, (list, tuple)) or len(value) != 3:
            raise ValueError
        return [convert(item) for item in value]

    return converted


def _interval(value: Any) -> list[float]:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError
    low, high = map(FLOAT.convert, value)
    if low > high:
        raise ValueError
    return [low, high]


def _size(value: Any) -> list[float]:
    low, high = _interval(value)
    if not 0.01 <= low <= high <= 100:
        raise ValueError
    return [low, high]


def _rotation(value: Any) -> list[float]:
    low, high = _interval(value)
    if not -360 <= low <= high <= 360:
        raise ValueError
    return [low, high]


# what `args` of each type of IaaAugment's augmenters may hold, and its default
AUGMENTERS: dict[str, dict[str, tuple[Any, Any]]] = {
    "Fliplr": {"p": (SHARE.convert, 0.5)},
    "Affine": {"p": (SHARE.convert, 1.0), "rotate": (_rotation, [-10.0, 10.0]), "fit_output": (BOOL.convert, False)},
    "Resize": {"size": (_size, [0.5, 3.0])},
}


def _augmenters(value: Any) -> list[dict[str, Any]]:
    """A list of `type` and `args`, the args converted and complete."""
    if not isinstance(value, (list, tuple)):
        raise ValueError
    converted = []
    for one in value:
        if not isinstance(one, Mapping) or set(one) - {"type", "args"} or one.get("type") not in list(AUGMENTERS):
            raise ValueError
        known, args = AUGMENTERS[one["type"]], one.get("args") or {}
        if not isinstance(args, Mapping) or set(args) - set(known):
            raise ValueError
        own = {key: convert(args[key]) if key in args else default for key, (convert, default) in known.items()}
        converted.append({"type": one["type"], "args": own})
    return converted


AUGMENTER_LIST = Kind(
    "a list of augmenters: `type` Fliplr (args: p), Affine (args: p, rotate, fit_output) or Resize (args: size)",
    _augmenters,
)
SCALE = Kind("1./255.", _scale)
MEANS = Kind("a list of 3 numbers", _three(FLOAT.convert))
DEVIATIONS = Kind("a list of 3 numbers above 0", _three(ABOVE_0.convert))


class DetLabelEncode(Section):
    """From PaddleOCR's JSON to polygons."""


class CopyPaste(Section):
    """Pastes texts of another photo."""

    limit_paste: Flag = Field(True, description="at most a fifth of the other photo's texts, and 30")


class IaaAugment(Section):
    """Flips, rotates and resizes a photo."""

    augmenter_args: Annotated[list[dict[str, Any]], AUGMENTER_LIST] = Field(
        _augmenters([{"type": name} for name in AUGMENTERS]), description="what is done, in this order"
    )


class _PhotoCrop(Section):
    """What both ways to crop a photo take."""

    size: Annotated[list[int], SIDES] = Field(
        [640, 640], description="width and height in pixels of what is trained on"
    )
    max_tries: Count = Field(10, description="crops that are tried before the whole photo is taken")
    min_crop_side_ratio: Share = Field(0.1, description="least share of each side that a crop has")


class EastRandomCropData(_PhotoCrop):
    """Crops a part of a photo that cuts no text."""

    keep_ratio: Flag = Field(True, description="pad instead of stretching")


class RandomCrop(_PhotoCrop):
    """Crops a part of a photo that may cut texts, as PP-OCRv6 does; see `data.detection.clipping_crop`."""

    keep_ratio: Flag = Field(True, description="must be true")

    @model_validator(mode="after")
    def _check_ratio(self) -> RandomCrop:
        if not self.keep_ratio:
            raise wrong_below("is false, which would stretch the photo but not its outlines: set true.", "keep_ratio")
        return self


class MakeBorderMap(Section):
    """The threshold map."""

    shrink_ratio: Share = Field(0.4, description="r of the distance area (1 - r^2) / perimeter from the text's outline")
    thresh_min: Share = Field(0.3, description="threshold far from the outline")
    thresh_max: Share = Field(0.7, description="threshold on the outline")
    total_epoch: UnreadInt = Field(None, description="a schedule of the ratio that nothing drives")


class MakeShrinkMap(Section):
    """The shrink map."""

    shrink_ratio: Share = Field(0.4, description="r of the distance area (1 - r^2) / perimeter from the text's outline")
    min_text_size: Natural = Field(8, description="pixels; text that is less wide or high is left out")
    total_epoch: UnreadInt = Field(None, description="a schedule of the ratio that nothing drives")

    @model_validator(mode="after")
    def _check_ratio(self) -> MakeShrinkMap:
        if not 0 < self.shrink_ratio < 1:
            raise wrong_below(f"is {self.shrink_ratio:g}; it has to lie between 0 and 1.", "shrink_ratio")
        return self


class NormalizeImage(Section):
    """Standardises pixels."""

    scale: Annotated[float, SCALE] = Field(1 / 255, description="factor on the pixels")
    mean: Annotated[list[float], MEANS] = Field(list(IMAGENET_MEAN), description="of each channel, blue first")
    std: Annotated[list[float], DEVIATIONS] = Field(list(IMAGENET_STD), description="of each channel, blue first")
    order: Annotated[str, one_of("hwc")] = Field("hwc", description="order of the axes before")


class ToCHWImage(Section):
    """Colours before rows."""

    UNREAD: ClassVar[bool] = True


class DetResizeForTest(Section):
    """The size at which a photo is searched; see `data.detection.resize`."""

    image_shape: Annotated[list[int] | None, optional(SIDES)] = Field(None, description="height and width in pixels")
    keep_ratio: Flag = Field(False, description="with image_shape: keep the proportions, its height counts")
    limit_side_len: OptionalSide = Field(None, description="pixels that a side has at least (min) or at most (max)")
    limit_type: Annotated[str, one_of("min", "max", "resize_long")] = Field(
        "min", description="which side the limit is for"
    )
    resize_long: OptionalSide = Field(None, description="pixels of the longer side")


class DBLoss(Named):
    """`Loss: {name: DBLoss}`, the three maps of differentiable binarization."""

    name: Literal["DBLoss"] = "DBLoss"
    balance_loss: Flag = Field(True, description="count the most difficult pixels without text only")
    main_loss_type: Annotated[str, one_of("DiceLoss", "BCELoss", "DiceFocalLoss")] = Field(
        "DiceLoss", description="loss of the shrink map; DiceFocalLoss also that of the binary map"
    )
    alpha: Rate = Field(5.0, description="factor of the shrink map's loss")
    beta: Rate = Field(10.0, description="factor of the threshold map's loss")
    ohem_ratio: Rate = Field(3.0, description="pixels without text that count, for each pixel of text")
    eps: Factor = Field(1e-6, description="added to denominators")
    dice_weight: Rate = Field(1.0, description="of DiceFocalLoss: factor of the Dice loss")
    focal_weight: Rate = Field(1.0, description="of DiceFocalLoss: factor of the focal loss")
    focal_alpha: Share = Field(0.25, description="of the focal loss: weight of text; that of other pixels is the rest")
    focal_gamma: Rate = Field(2.0, description="of the focal loss: how little a pixel counts that is right already")
    aux_weight_p4: Rate = Field(0.0, description="factor of the loss of the auxiliary head at 1/16 of the size")
    aux_weight_p3: Rate = Field(0.0, description="the same at 1/8")
    aux_weight_p2: Rate = Field(0.0, description="the same at 1/4")

    @property
    def networks(self) -> dict[str, list[str]]:
        """The networks that each part names: none."""
        return {}


class DetMetric(Named):
    """Scores of a detector."""

    name: Literal["DetMetric"] = "DetMetric"
    main_indicator: Annotated[str, one_of("hmean", "precision", "recall")] = Field(
        "hmean", description="the score of which the best checkpoint has most"
    )


class DBPostProcess(Named):
    """How boxes are made of a shrink map; see `predict.boxes`."""

    name: Literal["DBPostProcess"] = "DBPostProcess"
    thresh: Share = Field(0.3, description="probability from which a pixel is text")
    box_thresh: Share = Field(0.7, description="mean probability from which a box is kept")
    max_candidates: Annotated[int, COUNT] = Field(1000, description="outlines that are looked at")
    unclip_ratio: Factor = Field(2.0, description="how far boxes are enlarged: area * ratio / perimeter")
    use_dilation: Flag = Field(False, description="join text across one pixel")
    score_mode: Annotated[str, one_of("fast", "slow")] = Field(
        "fast", description="probability over the box, or over the outline"
    )
    box_type: Annotated[str, one_of("quad", "poly")] = Field("quad", description="four corners, or the outline")


TRANSFORMS = (
    DetLabelEncode,
    CopyPaste,
    IaaAugment,
    EastRandomCropData,
    RandomCrop,
    MakeBorderMap,
    MakeShrinkMap,
    NormalizeImage,
    ToCHWImage,
    DetResizeForTest,
)
