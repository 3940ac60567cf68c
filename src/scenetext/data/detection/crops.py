"""From a photo and the outline of a text to a picture of the line, as recognisers take it."""

from __future__ import annotations

import cv2
import numpy as np

from scenetext.data.detection.polygons import min_area_quad

TALL = 1.5  # a text of so many widths is turned
CORNERS = 4


def crop_text(image: np.ndarray, outline: np.ndarray) -> np.ndarray | None:
    """Cuts a text out of a photo and makes it horizontal, as PaddleOCR's get_rotate_crop_image does.

    Four corners are mapped to a rectangle as wide as the longer of the upper and lower edge, and as high as the longer
    of the others. Of any other outline the smallest rectangle around it is taken. What is TALL times as high as wide is
    turned counter-clockwise by 90 degrees.

    Args:
        image: (H, W, 3) uint8.
        outline: (N, 2), x and y in pixels; four corners from the upper left one clockwise, seen as the text is read.

    Returns:
        (h, w, 3) uint8; None where an edge of the rectangle is shorter than a pixel.
    """
    if len(outline) == CORNERS:
        quad = np.asarray(outline, np.float32)
    else:
        quad, _ = min_area_quad(np.asarray(outline).astype(np.int32))
    width, height = (
        int(max(np.linalg.norm(quad[a] - quad[b]), np.linalg.norm(quad[c] - quad[d])))
        for a, b, c, d in ((0, 1, 2, 3), (0, 3, 1, 2))
    )
    if width < 1 or height < 1:
        return None
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    crop = cv2.warpPerspective(
        image,
        cv2.getPerspectiveTransform(quad, target),
        (width, height),
        borderMode=cv2.BORDER_REPLICATE,
        flags=cv2.INTER_CUBIC,
    )
    return np.ascontiguousarray(np.rot90(crop)) if height / width >= TALL else crop
