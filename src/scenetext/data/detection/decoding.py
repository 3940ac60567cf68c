"""Decoding a photo, also a JPEG of more pixels than other pictures may have: it is decoded at half its size.

Cameras of 108 and 200 megapixels write JPEG, of which libjpeg computes a half directly, so that memory stays that of a
picture of 50 megapixels. No text is lost by it: photos are searched at 4,000 pixels at most.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from scenetext.data.decoding import checked_size, not_readable
from scenetext.data.image_size import JPEG, MOST_PIXELS
from scenetext.data.transforms import decode_image
from scenetext.system.untrusted import reading

MOST_JPEG_PIXELS = 4 * MOST_PIXELS


class PhotoSize(NamedTuple):
    """The size of a photo, upright, in pixels, and by how much its sides were divided when it was decoded."""

    height_px: int
    width_px: int
    divisor: int = 1

    def in_photo(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 2) int64 in pixels of what was decoded → the same in pixels of the photo."""
        return points if self.divisor == 1 else np.minimum(points * self.divisor, (self.width_px, self.height_px))


class DecodedPhoto(NamedTuple):
    """A photo's pixels, (h, w, 3) uint8, blue first, upright and opaque, and its size."""

    image: np.ndarray
    size: PhotoSize


def decode_photo(data: bytes, location: str) -> DecodedPhoto:
    """Decodes a photo; see `data.transforms.decode_image`.

    Args:
        data: the file's bytes.
        location: the file's name in error messages.

    Raises:
        InputError: no bytes, no image, a truncated one, a JPEG of more than MOST_JPEG_PIXELS pixels or another picture
            of more than MOST_PIXELS.
    """
    if not data.startswith(JPEG):
        image = decode_image(data, location)
        return DecodedPhoto(image, PhotoSize(*image.shape[:2]))
    with reading(location, "a picture", "put a whole one there"):
        width, height = checked_size(data, location, MOST_JPEG_PIXELS)
    if width * height <= MOST_PIXELS:
        return DecodedPhoto(decode_image(data, location), PhotoSize(height, width))
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_COLOR_2)
    if image is None:
        raise not_readable(data, location)
    return DecodedPhoto(image, PhotoSize(height, width, 2))
