"""The size of a picture by its file's header alone, and how the picture is turned when it is shown.

Cameras store pictures in the sensor's position and say in an EXIF block how to turn them (CIPA DC-008, tag 0x0112).
Decoding turns them, so the size after turning counts.
"""

from __future__ import annotations

import io
import struct

from PIL import Image, UnidentifiedImageError

UPRIGHT = 1
"""The orientation of a picture that is shown as it is stored; from 5 to 8 width and height change places."""

MOST_PIXELS = 50_000_000
"""A picture of more pixels is refused by its header: a line has some thousands, a photo of the largest camera fewer."""

_ORIENTATION = 0x0112
PNG = b"\x89PNG\r\n\x1a\n"
"""The bytes with which a PNG begins."""

JPEG = b"\xff\xd8"
"""The bytes with which a JPEG begins."""

_MARKER = 0xFF
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # the markers whose segment holds the size
_EXIF_MARKER, _EXIF = 0xE1, b"Exif\0\0"
_SEGMENTS = _FRAMES | {0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)}  # those that may stand before the pixels


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels as `decode_image` gives the picture, its EXIF orientation applied.

    PNG and JPEG take some microseconds; Pillow, which reads the others, takes 20 times as long.

    Args:
        data: an image file.

    Raises:
        UnidentifiedImageError: it is none that Pillow knows.
    """
    header = png_header(data) or _jpeg_header(data)
    if header is None:
        header = _pillow_header(data)
    width, height, orientation = header
    return (height, width) if orientation > 4 else (width, height)


def png_header(data: bytes) -> tuple[int, int, int] | None:
    """Stored width and height in pixels and the orientation of a PNG; None for what is no PNG, or an odd one."""
    if data[:8] != PNG or data[12:16] != b"IHDR" or len(data) < 24:
        return None
    width, height = struct.unpack_from(">II", data, 16)
    orientation, at, last = UPRIGHT, 33, len(data) - 8
    while at <= last:
        size, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"eXIf":  # also behind the pixels
            orientation = exif_orientation(data[at + 8 : at + 8 + size])
        at += size + 12
    return (width, height, orientation) if width and height else None


def _jpeg_header(data: bytes) -> tuple[int, int, int] | None:
    """The same of a JPEG."""
    if data[:2] != JPEG:
        return None
    width, height, orientation, at, last = 0, 0, 0, 2, len(data) - 9
    while at <= last and data[at] == _MARKER:
        marker = data[at + 1]
        if marker == _MARKER:  # a fill byte
            at += 1
            continue
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
        elif marker not in _SEGMENTS:
            break
        end = at + 2 + (data[at + 2] << 8 | data[at + 3])
        if marker == _EXIF_MARKER and not orientation:  # OpenCV, too, looks into the first such segment alone
            is_exif = data.startswith(_EXIF, at + 4)
            orientation = exif_orientation(data[at + 4 + len(_EXIF) : end]) if is_exif else UPRIGHT
        at = end
    return (width, height, orientation or UPRIGHT) if width and height else None


def _pillow_header(data: bytes) -> tuple[int, int, int]:
    """The same of what Pillow knows."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return (*picture.size, pillow_orientation(picture))
    except UnidentifiedImageError:
        raise
    except Exception as error:  # what broken headers raise in Pillow's many readers shares no base
        raise UnidentifiedImageError(f"the header is broken ({error})") from None


def pillow_orientation(picture: Image.Image) -> int:
    """The orientation of a picture that Pillow has opened and not yet loaded."""
    if picture.format == "TIFF":  # its size is given turned, its pixels will be
        return UPRIGHT
    orientation = picture.getexif().get(_ORIENTATION, UPRIGHT)
    return orientation if orientation in range(1, 9) else UPRIGHT


def exif_orientation(exif: bytes) -> int:
    """The orientation, 1 to 8, that an EXIF block (a TIFF header and what follows it) says; UPRIGHT without one."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return UPRIGHT
    try:
        mark, start = struct.unpack_from(f"{order}HL", exif, 2)
        (count,) = struct.unpack_from(f"{order}H", exif, start) if mark == 42 else (0,)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHLH", exif, at)
            if tag == _ORIENTATION:
                return value if 1 <= value <= 8 else UPRIGHT
    except struct.error:  # the block is cut short
        pass
    return UPRIGHT
