"""From a photo to what a detector takes: its size, by PaddleOCR's DetResizeForTest, and its standardised pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

STRIDE = 32  # sides are multiples of it
WIDE_STRIDE = 128  # with `resize_long`
DEFAULT_SIDE_PX = 736
LONGEST_SIDE_PX = 4000  # of what is searched; PaddleX has the same bound
LEAST_SUM_PX = 64  # a photo with a smaller sum of its sides is padded
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class DetectionSize:
    """The rule for the size at which a photo is searched. Without any option the shorter side has 736 pixels at least.

    Attributes:
        image_shape: height and width, whatever the photo's.
        keep_ratio: with image_shape: the height counts, and the width follows from the photo's proportions.
        limit_side_len: pixels that a side has, see limit_type.
        limit_type: "min": the shorter side is enlarged to the limit; "max": the longer one is reduced to it;
            "resize_long": the longer one is resized to it.
        resize_long: pixels of the longer side, both sides rounded up to multiples of 128.
        longest_px: a larger result is made smaller, its proportions kept: a strip of 40 x 3000 pixels would get
            736 x 55,200. None for PaddleOCR's rule, which has no such bound.
    """

    image_shape: Sequence[int] | None = None
    keep_ratio: bool = False
    limit_side_len: int | None = None
    limit_type: str = "min"
    resize_long: int | None = None
    longest_px: int | None = LONGEST_SIDE_PX

    def size(self, height_px: int, width_px: int) -> tuple[int, int]:
        """Height and width, multiples of STRIDE, at which a photo (after `padded`) is searched."""
        height, width = self._wanted(height_px, width_px)
        if self.longest_px is not None and max(height, width) > self.longest_px:
            ratio = self.longest_px / max(height, width)
            height, width = (_rounded(int(side * ratio)) for side in (height, width))
        return height, width

    def _wanted(self, height_px: int, width_px: int) -> tuple[int, int]:
        if self.image_shape is not None:
            height, width = self.image_shape
            if self.keep_ratio:
                width = _rounded_up(width_px * height / height_px, STRIDE)
            return int(height), int(width)
        if self.limit_side_len is None and self.resize_long is not None:
            ratio = self.resize_long / max(height_px, width_px)
            height, width = (_rounded_up(int(side * ratio), WIDE_STRIDE) for side in (height_px, width_px))
            return height, width
        ratio = self._ratio(height_px, width_px)
        return _rounded(int(height_px * ratio)), _rounded(int(width_px * ratio))

    def _ratio(self, height_px: int, width_px: int) -> float:
        limit = DEFAULT_SIDE_PX if self.limit_side_len is None else self.limit_side_len
        longer, shorter = max(height_px, width_px), min(height_px, width_px)
        if self.limit_side_len is not None and self.limit_type == "resize_long":
            return limit / longer
        if self.limit_side_len is not None and self.limit_type == "max":
            return limit / longer if longer > limit else 1.0
        return limit / shorter if shorter < limit else 1.0

    def resize(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 → (h, w, 3) uint8, bilinear, at the size of the rule."""
        image = padded(image)
        height, width = self.size(*image.shape[:2])
        return cv2.resize(image, (width, height))


def padded(image: np.ndarray) -> np.ndarray:
    """A tiny photo, whose sides have a sum below 64 pixels, on 32 x 32 pixels of black at least; others as they are."""
    height, width = image.shape[:2]
    if height + width >= LEAST_SUM_PX:
        return image
    canvas = np.zeros((max(STRIDE, height), max(STRIDE, width), 3), np.uint8)
    canvas[:height, :width] = image
    return canvas


def standardised_photo(
    image: np.ndarray, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD
) -> np.ndarray:
    """(H, W, 3) uint8 → (3, H, W) float32: x / 255, then minus the mean and over the deviation of each channel.

    Args:
        image: blue first. PaddleOCR's detectors apply ImageNet's numbers for red, green and blue in this order to blue,
            green and red, and so does this project.
        mean, std: of the channels in the picture's order.
    """
    scaled = image.astype(np.float32) * np.float32(1 / 255)
    return ((scaled - np.float32(mean)) / np.float32(std)).transpose(2, 0, 1)


def _rounded(side_px: int) -> int:
    """The nearest multiple of STRIDE, of two equally near ones the even multiple, and at least STRIDE."""
    return max(int(round(side_px / STRIDE) * STRIDE), STRIDE)


def _rounded_up(side_px: float, stride: int) -> int:
    return int(-(-side_px // stride)) * stride
