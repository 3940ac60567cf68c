"""Pixels of picture files: by OpenCV, and by Pillow where OpenCV knows less; transparency and orientation applied."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from scenetext.data.image_size import (
    JPEG,
    MOST_PIXELS,
    PNG,
    UPRIGHT,
    image_size,
    pillow_orientation,
    png_header,
)
from scenetext.errors import InputError

_GIF = (b"GIF87a", b"GIF89a")
_JPEG_END = b"\xff\xd9"
_JPEG_2000 = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")  # in its box and bare
_BMP_START = struct.Struct("<2sI4xIIiiHHI")  # "BM", file, where the pixels begin, header, width, height, planes, bits
_BMP_PLAIN = (0, 3)  # the compressions that leave pixels as they are
_WITH_ALPHA = (4, 6)  # colour types in a PNG's header
_LOWER_CASE = ord("a")  # with a small letter begins what a reader of PNG may pass over
_PIXELS_AT_ONCE = 1 << 20  # blended together
_FAINT = 224  # on white, pixels from this value on are no more to be seen


def decoded(data: bytes) -> np.ndarray | None:
    """(H, W, 3) uint8, blue first, upright and opaque; None for what cannot be read. See `transforms.decode_image`."""
    return _decode_by_pillow(data) if _needs_pillow(data) else _decode_by_opencv(data)


def checked_size(data: bytes, location: str, most_pixels: int = MOST_PIXELS) -> tuple[int, int]:
    """Width and height in pixels of a picture, after what can be checked without decoding: its header and its end.

    Args:
        data: the file's bytes.
        location: the file's name in error messages.
        most_pixels: a picture of more is refused.

    Raises:
        InputError: no bytes, no picture, a truncated or damaged one, or one of too many pixels.
    """
    if not data:
        raise InputError(f"{location} is empty (0 bytes).")
    if is_truncated(data):
        raise InputError(f"{location} is a truncated image ({len(data)} bytes).")
    if data.startswith(PNG) and not _is_sound_png(data):
        raise InputError(f"{location} is a damaged image (a checksum in it is wrong).")
    try:
        width, height = image_size(data)
    except UnidentifiedImageError:
        raise not_readable(data, location) from None
    if width * height > most_pixels:
        raise InputError(
            f"{location} has {width} x {height} pixels; a picture may have {most_pixels:,} at most: crop or shrink it."
        )
    return width, height


def not_readable(data: bytes, location: str) -> InputError:
    """The error for bytes that are no picture."""
    return InputError(f"{location} is no image that can be read ({len(data)} bytes).")


def is_known_by_its_end(data: bytes) -> bool:
    """Whether `is_truncated` knows the format; of others only decoding tells whether they are whole."""
    return data.startswith((JPEG, PNG, b"BM")) or _is_webp(data)


def is_truncated(data: bytes) -> bool:
    """Whether a JPEG, PNG, WEBP or plain BMP file stops before its end; other formats are left to the decoder."""
    if data.startswith(JPEG):  # nearly all end with the marker, or have it before some bytes that do not matter
        return not data.endswith(_JPEG_END) and data.rfind(_JPEG_END, _scan_start(data)) < 0
    if data.startswith(PNG):
        return data.rfind(b"IEND") < 0
    if _is_webp(data):
        return len(data) < 8 + int.from_bytes(data[4:8], "little")
    if data.startswith(b"BM") and len(data) >= _BMP_START.size + 4:
        *_, start, _, width, height, _, bits, compression = _BMP_START.unpack_from(data)
        row_bytes = (abs(width) * bits + 31) // 32 * 4
        return compression in _BMP_PLAIN and len(data) < start + row_bytes * abs(height)
    return False


def _is_sound_png(data: bytes) -> bool:
    """Whether the checksums of a PNG's chunks are right, except for those that a reader may pass over."""
    view, at = memoryview(data), len(PNG)
    while at + 12 <= len(data):
        size = int.from_bytes(view[at : at + 4], "big")
        end = at + 8 + size
        if data[at + 4] < _LOWER_CASE and zlib.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            return False
        if view[at + 4 : at + 8] == b"IEND":
            return True
        at = end + 4
    return False


def _is_webp(data: bytes) -> bool:
    return data.startswith(b"RIFF") and data[8:12] == b"WEBP"


def _decode_by_opencv(data: bytes) -> np.ndarray | None:
    """(H, W, 3) uint8; None for what OpenCV cannot read."""
    buffer = np.frombuffer(data, np.uint8)
    try:
        image = cv2.imdecode(buffer, cv2.IMREAD_COLOR)
    except cv2.error:  # larger than OpenCV's limit of pixels
        return None
    if image is None or not (data.startswith(PNG) and (data[25] in _WITH_ALPHA or b"tRNS" in data)):
        return image
    unchanged = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
    if unchanged is None or unchanged.ndim != 3 or unchanged.shape[2] != 4:
        return image
    _, _, orientation = png_header(data) or (0, 0, UPRIGHT)
    alpha = _upright(unchanged[:, :, 3], orientation)  # that mode does not turn the picture
    return _on_background(image, alpha) if alpha.shape == image.shape[:2] else image


def _decode_by_pillow(data: bytes) -> np.ndarray | None:
    """(H, W, 3) uint8 of the first frame; None for what Pillow cannot read."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            rgba = np.asarray(ImageOps.exif_transpose(picture).convert("RGBA"))  # (H, W, 4)
    except Exception:  # what broken files raise in Pillow's many readers shares no base
        return None
    return _on_background(np.ascontiguousarray(rgba[:, :, 2::-1]), rgba[:, :, 3])


def _needs_pillow(data: bytes) -> bool:
    """Whether OpenCV cannot read the format, drops its transparency, does not turn it, or may crash on it."""
    if data.startswith(JPEG):
        return False
    if data.startswith(PNG):  # of transparency OpenCV knows a channel and a palette's, but no transparent colour
        return data[25:26] in (b"\0", b"\2") and b"tRNS" in data and data[24] <= 8
    if data.startswith((*_GIF, *_JPEG_2000)):  # OpenCV ends the process over a truncated JPEG 2000
        return True
    try:
        with Image.open(io.BytesIO(data)) as picture:
            is_animation = picture.format == "WEBP" and picture.is_animated
            return is_animation or picture.has_transparency_data or pillow_orientation(picture) != UPRIGHT
    except Exception:  # OpenCV may know it, or says that it is broken
        return False


def _on_background(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Lays a picture on white, or on black where white would leave nothing to see.

    Args:
        image: (H, W, 3) uint8.
        alpha: (H, W) uint8 or uint16, the largest number where the picture is opaque.
    """
    if alpha.min() == np.iinfo(alpha.dtype).max:  # opaque
        return image
    laid = _laid(image, alpha, 255.0)
    if laid.min() >= _FAINT and alpha.max() > 0:
        return _laid(image, alpha, 0.0)
    return laid


def _laid(image: np.ndarray, alpha: np.ndarray, background: float) -> np.ndarray:
    """(H, W, 3) uint8 on a grey background, a few rows at a time: float32 of a whole picture would take 20 times more.

    Args:
        image, alpha: see `_on_background`.
        background: 0.0 to 255.0.
    """
    laid = np.empty_like(image)
    rows = max(1, _PIXELS_AT_ONCE // image.shape[1])
    for at in range(0, len(image), rows):
        part = slice(at, at + rows)
        opacity = alpha[part, :, None].astype(np.float32) / np.iinfo(alpha.dtype).max  # (rows, W, 1) in [0, 1]
        laid[part] = np.rint(image[part] * opacity + background * (1.0 - opacity))
    return laid


def _upright(plane: np.ndarray, orientation: int) -> np.ndarray:
    """(H, W) turned as its EXIF orientation asks; (W, H) from 5 on."""
    if orientation > 4:
        plane = plane.T
    if orientation in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    return plane[::-1] if orientation in (3, 4, 7, 8) else plane


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
