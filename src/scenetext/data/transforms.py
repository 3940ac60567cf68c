"""From the bytes of an image file to the array that a network reads."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from scenetext.errors import InputError

_JPEG = b"\xff\xd8"
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Canvas:
    """What a line is laid on before a network reads it.

    Attributes:
        height_px: the height.
        width_px: the least width, or the only one where `fixed`.
        fixed: wider lines are squeezed to the width, because the network works at this one.
        stretched: lines fill the width instead of keeping their proportions and being padded; only with `fixed`.
    """

    height_px: int
    width_px: int
    fixed: bool = False
    stretched: bool = False


def decode_image(data: bytes, place: str) -> np.ndarray:
    """Decodes an image file as OpenCV's colour mode does: 8 bits, BGR, EXIF rotation applied.

    Grey, palette, 16-bit and CMYK files are converted. Transparent pixels are laid on white, where OpenCV would show
    whatever colour lies beneath them. OpenCV fills up the missing part of a truncated file with grey and says nothing;
    here it is an error.

    Args:
        data: the file's bytes.
        place: what an error message calls the file.

    Returns:
        (H, W, 3) uint8, blue first.

    Raises:
        InputError: no bytes, no image, or a truncated one.
    """
    if not data:
        raise InputError(f"{place} is empty (0 bytes).")
    if _is_truncated(data):
        raise InputError(f"{place} is a truncated image ({len(data)} bytes).")
    buffer = np.frombuffer(data, np.uint8)
    try:
        image = cv2.imdecode(buffer, cv2.IMREAD_COLOR)
    except cv2.error:  # larger than OpenCV's limit of pixels
        image = None
    if image is None:
        raise InputError(f"{place} is no image that can be read ({len(data)} bytes).")
    if data.startswith(_PNG) and (data[25:26] in (b"\4", b"\6") or b"tRNS" in data):
        image = _on_white(image, cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED))
    return image


def _on_white(image: np.ndarray, unchanged: np.ndarray | None) -> np.ndarray:
    """Lays `image` (H, W, 3) on white by the alpha channel of `unchanged` (H, W, 4), uint8 or uint16."""
    if unchanged is None or unchanged.ndim != 3 or unchanged.shape[2] != 4 or unchanged.shape[:2] != image.shape[:2]:
        return image
    alpha = unchanged[:, :, 3:].astype(np.float32) / np.iinfo(unchanged.dtype).max  # (H, W, 1), 1 = opaque
    return np.rint(image * alpha + 255.0 * (1.0 - alpha)).astype(np.uint8)


def _is_truncated(data: bytes) -> bool:
    """Whether a JPEG or PNG file stops before its end; other formats are left to the decoder."""
    if data.startswith(_PNG):
        return data.rfind(b"IEND") < 0
    return data.startswith(_JPEG) and data.rfind(b"\xff\xd9", _scan_start(data)) < 0


def _scan_start(data: bytes) -> int:
    """Where a JPEG's first scan begins; a thumbnail in its EXIF part has an end marker of its own before that."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xDA:
            return position
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return len(data)


def resized_width(shape: tuple[int, ...], height_px: int, max_width_px: int | None = None) -> int:
    """The width of an image resized to a height with its shape kept: ceil(height * w / h), at least 1.

    Args:
        shape: (H, W, ...) of the image.
        height_px: the new height.
        max_width_px: wider lines are squeezed to this, when given.
    """
    width = max(1, math.ceil(height_px * shape[1] / shape[0]))
    return width if max_width_px is None else min(width, max_width_px)


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


def to_canvas(images: list[np.ndarray], width_px: int) -> np.ndarray:
    """Normalises resized lines and pads them on the right to one width.

    x / 255, minus 0.5, over 0.5; the padding is 0, mid-grey, after that (RecResizeImg of PaddleOCR).

    Args:
        images: N arrays (H, w, 3) uint8 of one height, w at most `width_px`.
        width_px: the canvas.

    Returns:
        (N, 3, H, width_px) float32 in [-1, 1].
    """
    batch = np.zeros((len(images), 3, images[0].shape[0], width_px), np.float32)
    for row, image in zip(batch, images, strict=True):
        row[:, :, : image.shape[1]] = normalise(image)
    return batch


def normalise(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 → (3, H, W) float32 in [-1, 1], by PaddleOCR's order of operations."""
    x = image.astype(np.float32).transpose(2, 0, 1) / 255
    x -= 0.5
    x /= 0.5
    return x


def resize_norm_img(
    image: np.ndarray, image_shape: tuple[int, int, int], infer: bool = False, padding: bool = True
) -> tuple[np.ndarray, float]:
    """PaddleOCR's RecResizeImg, bit for bit.

    Args:
        image: (H, W, 3) uint8, BGR.
        image_shape: (3, height, width) of the canvas.
        infer: widens the canvas for lines longer than its shape, where training squeezes them.
        padding: False stretches the line over the whole canvas.

    Returns:
        (3, height, canvas width) float32 in [-1, 1], and the share of the canvas that the line fills, at most 1.
    """
    _, height, width = image_shape
    ratio = image.shape[1] / image.shape[0]
    if infer:
        width = int(height * max(width / height, ratio))
    if not padding:
        return normalise(resize_line(image, height, width)), 1.0
    line = width if math.ceil(height * ratio) > width else int(math.ceil(height * ratio))
    return to_canvas([resize_line(image, height, line)], width)[0], min(1.0, line / width)
