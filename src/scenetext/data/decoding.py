"""Pixels of picture files: by OpenCV, and by Pillow where OpenCV knows less; transparency and orientation applied."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image, ImageOps

from scenetext.data.image_size import JPEG, PNG, UPRIGHT, pillow_orientation, png_header

_GIF = (b"GIF87a", b"GIF89a")
_WITH_ALPHA = (4, 6)  # colour types in a PNG's header
_FAINT = 224  # on white, pixels from this value on are no more to be seen


def decoded(data: bytes) -> np.ndarray | None:
    """(H, W, 3) uint8, blue first, upright and opaque; None for what cannot be read. See `transforms.decode_image`."""
    return _decode_by_pillow(data) if _needs_pillow(data) else _decode_by_opencv(data)


def is_truncated(data: bytes) -> bool:
    """Whether a JPEG or PNG file stops before its end; other formats are left to the decoder."""
    if data.startswith(PNG):
        return data.rfind(b"IEND") < 0
    return data.startswith(JPEG) and data.rfind(b"\xff\xd9", _scan_start(data)) < 0


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
    """Whether OpenCV cannot read the format, drops its transparency, or does not turn it."""
    if data.startswith(JPEG):
        return False
    if data.startswith(PNG):  # of transparency OpenCV knows a channel and a palette's, but no transparent colour
        return data[25:26] in (b"\0", b"\2") and b"tRNS" in data and data[24] <= 8
    if data.startswith(_GIF):
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
    opacity = alpha[:, :, None].astype(np.float32) / np.iinfo(alpha.dtype).max  # (H, W, 1) in [0, 1]
    laid = np.rint(image * opacity + 255.0 * (1.0 - opacity)).astype(np.uint8)
    if laid.min() >= _FAINT and opacity.min() < 1 and opacity.max() > 0:
        return np.rint(image * opacity).astype(np.uint8)
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
