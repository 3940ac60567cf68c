"""LineAug: what crops of web pictures show and RecAug does not make (ours, off by default).

Low resolution, strong blur, crops that are tight or loose on all four sides, letters on their side, and a second row
beneath the first. Every draw comes from the generator that the caller passes.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

SMALLEST_PX = 16  # smaller pictures are left as they are
LOW_PX = (10, 24)  # heights of low resolution
BLUR = (0.02, 0.06)  # standard deviation or length of a blur, divided by the height
TIGHTEST, LOOSEST = 0.06, 0.2  # of the height, on each side
CELL_RATIO = (0.7, 1.5)  # width of a letter's cell, divided by the height, of lines whose letters are turned


@dataclass(frozen=True)
class LineAug:
    """Augments the picture of a line, each step with its own probability in [0, 1].

    Attributes:
        low_resolution_prob: shrunk to 10 to 23 pixels of height.
        blur_prob: out of focus, or moved along the line.
        crop_prob: each side cut by up to 6 % of the height, or widened by up to 20 %.
        sideways_prob: of lines of full-width letters alone: each letter turned by 90 degrees, all to one side.
        rows_prob: another line beneath it; its label follows.
    """

    low_resolution_prob: float
    blur_prob: float
    crop_prob: float
    sideways_prob: float
    rows_prob: float

    def __call__(self, image: np.ndarray, text: str, rng: np.random.Generator) -> np.ndarray:
        """(H, W, 3) uint8 → (H', W', 3) uint8; a second row is the caller's, see `stacked`."""
        draws = rng.random(4)
        if min(image.shape[:2]) < SMALLEST_PX:
            return image
        if draws[0] < self.sideways_prob:
            image = sideways(image, text, rng)
        if draws[1] < self.crop_prob:
            image = recropped(image, rng)
        if draws[2] < self.blur_prob:
            image = blurred(image, rng)
        if draws[3] < self.low_resolution_prob:
            image = shrunk(image, rng)
        return image


def sideways(image: np.ndarray, text: str, rng: np.random.Generator) -> np.ndarray:
    """Turns each letter by 90 degrees, where letters have cells of one width; other lines stay as they are.

    Args:
        image: (H, W, 3) uint8.
        text: of the line.
        rng: chooses the side.
    """
    height, width = image.shape[:2]
    full = bool(text) and all(unicodedata.east_asian_width(character) in "WF" for character in text)
    if not full or not CELL_RATIO[0] <= width / len(text) / height <= CELL_RATIO[1]:
        return image
    edges = np.linspace(0, width, len(text) + 1).round().astype(int)
    turn = int(rng.choice([1, 3]))
    cells = [np.rot90(image[:, left:right], turn) for left, right in pairwise(edges)]
    return np.hstack([cv2.resize(np.ascontiguousarray(cell), (height, height)) for cell in cells])


def recropped(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Moves each side of the crop in or out; what is new repeats the edge."""
    height, width = image.shape[:2]
    top, bottom, left, right = (rng.uniform(-TIGHTEST, LOOSEST, 4) * height).round().astype(int)
    inner = image[max(0, -top) : height - max(0, -bottom), max(0, -left) : width - max(0, -right)]
    out = [max(0, side) for side in (top, bottom, left, right)]
    return cv2.copyMakeBorder(inner, *out, cv2.BORDER_REPLICATE)


def blurred(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blurs as a lens out of focus or as a moving camera does."""
    extent = rng.uniform(*BLUR) * image.shape[0]
    if rng.random() < 0.5:
        return cv2.GaussianBlur(image, (0, 0), extent)
    return cv2.blur(image, (max(2, round(3 * extent)), 1))


def shrunk(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shrinks to a low height; `Lines.load` enlarges it again."""
    height, width = image.shape[:2]
    low = int(rng.integers(*LOW_PX))
    size = (max(1, round(width * low / height)), low)
    return image if low >= height else cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def stacked(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Two rows as one picture, the narrower one widened by its last column."""
    height = above.shape[0]
    below = cv2.resize(below, (max(1, round(below.shape[1] * height / below.shape[0])), height))
    widest = max(above.shape[1], below.shape[1])
    rows = [cv2.copyMakeBorder(row, 0, 0, 0, widest - row.shape[1], cv2.BORDER_REPLICATE) for row in (above, below)]
    return np.vstack(rows)
