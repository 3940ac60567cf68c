"""From the bytes of an image file to the array that a network takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from scenetext.data.decoding import checked_size, decoded, not_readable
from scenetext.data.image_size import MOST_PIXELS
from scenetext.system.untrusted import reading


@dataclass(frozen=True, slots=True)
class Canvas:
    """The canvas that a line is laid on before a network reads it.

    Attributes:
        height_px: the height.
        width_px: the smallest width, or the only one if `fixed`.
        fixed: wider lines are squeezed to the width, because the network works at this width only.
        stretched: lines fill the width instead of keeping their proportions and being padded; only with `fixed`.
        by_ratio: width and height for lines about once, twice, ... as wide as high, which fill them (multi-size
            resizing: SVTRv2, arXiv:2411.15858, section 3.1); wider lines get the last one. Empty for other canvases.
    """

    height_px: int
    width_px: int
    fixed: bool = False
    stretched: bool = False
    by_ratio: tuple[tuple[int, int], ...] = ()

    def size_of(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Width and height of the canvas `by_ratio` for a picture of that size."""
        (ratio,) = ratios_of(np.array([[width_px, height_px]]))
        return self.by_ratio[min(int(ratio), len(self.by_ratio)) - 1]


def decode_image(data: bytes, location: str, most_pixels: int = MOST_PIXELS) -> np.ndarray:
    """Decodes an image file to 8 bits and BGR, as OpenCV's colour mode does, with its EXIF orientation applied.

    Grey, palette, 16-bit and CMYK files are converted. Transparent pixels of any format are laid on white; OpenCV would
    show the hidden colour beneath them. A picture that would vanish on white, such as white text, is laid on black. Of
    an animation the first frame is taken. A truncated file is an error; OpenCV would fill its missing part with grey.

    Args:
        data: the file's bytes.
        location: the file's name in error messages.
        most_pixels: that the image may have.

    Returns:
        (H, W, 3) uint8, blue first.

    Raises:
        InputError: no bytes, no image, a truncated one, or one of more pixels.
    """
    with reading(location, "a picture", "put a whole one there"):
        checked_size(data, location, most_pixels)
        image = decoded(data)
    if image is None:
        raise not_readable(data, location)
    return image


def ratios_of(sizes_px: np.ndarray) -> np.ndarray:
    """(N,) int64: how many times wider than high pictures are, rounded (halves to even), at least 1.

    Args:
        sizes_px: (N, 2), width and height of each.
    """
    widths, heights = sizes_px.astype(np.float64).T
    return np.maximum(np.round(widths / heights), 1).astype(np.int64)


def resized_width(shape: tuple[int, ...], height_px: int, max_width_px: int | None = None) -> int:
    """The width of an image resized to a height with its proportions kept: ceil(height * w / h), at least 1.

    Args:
        shape: (H, W, ...) of the image.
        height_px: the new height.
        max_width_px: the largest width; None for no limit.
    """
    width = max(1, math.ceil(height_px * shape[1] / shape[0]))
    return width if max_width_px is None else min(width, max_width_px)


def resized_widths(sizes_px: np.ndarray, height_px: int, max_width_px: int) -> np.ndarray:
    """`resized_width` of many images.

    Args:
        sizes_px: (N, 2), width and height of each image.
        height_px, max_width_px: see `resized_width`.

    Returns:
        (N,) int64.
    """
    widths, heights = sizes_px.astype(np.int64).T
    return np.clip(np.ceil(height_px * widths / heights), 1, max_width_px).astype(np.int64)


def canvas_width(width_px: int, step_px: int = 8) -> int:
    """The width of the canvas that a training batch with lines up to `width_px` wide is laid on.

    Rounded up to a multiple of `step_px`, the pixels of a time step of most networks here.
    """
    return max(step_px, -(-width_px // step_px) * step_px)


def resize_line(image: np.ndarray, height_px: int, width_px: int) -> np.ndarray:
    """(H, W, 3) uint8 → (height_px, width_px, 3) uint8, bilinear."""
    if image.shape[:2] == (height_px, width_px):
        return image
    return cv2.resize(image, (width_px, height_px), interpolation=cv2.INTER_LINEAR)


def stretch_line(image: np.ndarray, height_px: int, width_px: int) -> np.ndarray:
    """(H, W, 3) uint8 → (height_px, width_px, 3) uint8, bicubic over all pixels, as multi-size resizing does it."""
    if image.shape[:2] == (height_px, width_px):
        return image
    return np.asarray(Image.fromarray(image).resize((width_px, height_px), Image.Resampling.BICUBIC))


def to_canvas(images: list[np.ndarray], width_px: int) -> np.ndarray:
    """Standardises resized lines and pads them on the right to one width.

    Pixels become (x / 255 - 0.5) / 0.5; the padding is 0 afterwards, mid-grey (RecResizeImg of PaddleOCR).

    Args:
        images: N arrays (H, w, 3) uint8 of one height, w at most `width_px`.
        width_px: the canvas.

    Returns:
        (N, 3, H, width_px) float32 in [-1, 1].
    """
    batch = np.zeros((len(images), 3, images[0].shape[0], width_px), np.float32)
    for row, image in zip(batch, images, strict=True):
        row[:, :, : image.shape[1]] = standardise(image)
    return batch


def standardise(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 → (3, H, W) float32 in [-1, 1], by PaddleOCR's order of operations."""
    x = image.astype(np.float32).transpose(2, 0, 1) / 255
    x -= 0.5
    x /= 0.5
    return x
