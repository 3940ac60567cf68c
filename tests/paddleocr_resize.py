"""PaddleOCR's RecResizeImg, which ours is compared with."""

from __future__ import annotations

import math

import numpy as np

from scenetext.data.transforms import resize_line, standardise, to_canvas


def resize_norm_img(
    image: np.ndarray, image_shape: tuple[int, int, int], infer: bool = False, padding: bool = True
) -> tuple[np.ndarray, float]:
    """PaddleOCR's RecResizeImg, bit for bit.

    Args:
        image: (H, W, 3) uint8, BGR.
        image_shape: (3, height, width) of the canvas.
        infer: widens the canvas for lines wider than its shape; training squeezes them.
        padding: False stretches the line over the whole canvas.

    Returns:
        (3, height, canvas width) float32 in [-1, 1], and the ratio of the line's width to the canvas's, at most 1.
    """
    _, height, width = image_shape
    ratio = image.shape[1] / image.shape[0]
    if infer:
        width = int(height * max(width / height, ratio))
    if not padding:
        return standardise(resize_line(image, height, width)), 1.0
    line = width if math.ceil(height * ratio) > width else math.ceil(height * ratio)
    return to_canvas([resize_line(image, height, line)], width)[0], min(1.0, line / width)
