"""RecAug: the geometric and photometric augmentations that PaddleOCR trains its recognisers with.

Reference: ppocr/data/imaug/rec_img_aug.py; the warps are those of Luo et al., Learn to Augment, CVPR 2020
(arXiv:2003.06606). Order and probabilities are PaddleOCR's. Different here: every draw comes from the generator that
the caller passes, so that a line's augmentation depends on the seed, the epoch and the line alone; the warps move a
grid of points and interpolate between them linearly instead of solving moving least squares, at a tenth of the cost;
a line with cropped rows keeps its width (`Lines.load`); and the change of brightness is visible (PaddleOCR's is at
most 0.1 %).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

SMALLEST_PX = 20  # thinner lines are not warped or cropped
SEGMENTS = (3, 7)  # the warps cut a line into 3 to 6 pieces
BRIGHTNESS = 0.2
NOISE_DEVIATION = 8.0  # grey levels


@dataclass(frozen=True)
class RecAug:
    """Augments the picture of a line, each step with its own probability in [0, 1].

    Attributes:
        tia_prob: distort, stretch and perspective, all three together.
        crop_prob: a few rows off the top or the bottom.
        blur_prob: Gaussian blur, 5x5.
        hsv_aug_prob: brightness.
        jitter_prob: a shift by up to 1 % of the shorter side.
        noise_prob: Gaussian noise.
        reverse_prob: the negative.
    """

    tia_prob: float
    crop_prob: float
    blur_prob: float
    hsv_aug_prob: float
    jitter_prob: float
    noise_prob: float
    reverse_prob: float

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(H, W, 3) uint8 → (H', W, 3) uint8, H' up to 8 rows less."""
        draws = rng.random(7)
        large = min(image.shape[:2]) >= SMALLEST_PX
        if draws[0] < self.tia_prob and large:
            image = perspective(stretch(distort(image, rng), rng), rng)
        if draws[1] < self.crop_prob and large:
            image = crop_rows(image, rng)
        if draws[2] < self.blur_prob:
            image = cv2.GaussianBlur(image, (5, 5), 1)
        if draws[3] < self.hsv_aug_prob:
            image = cv2.convertScaleAbs(image, alpha=1.0 + rng.uniform(-BRIGHTNESS, BRIGHTNESS))
        if draws[4] < self.jitter_prob:
            image = shift(image, rng)
        if draws[5] < self.noise_prob:
            noisy = image + rng.normal(0.0, NOISE_DEVIATION * rng.random(), image.shape).astype(np.float32)
            image = np.clip(noisy, 0, 255).astype(np.uint8)
        if draws[6] < self.reverse_prob:
            image = 255 - image
        return image


def distort(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Moves points along the top and the bottom edge in both directions by up to a third of a segment."""
    height, width = image.shape[:2]
    segments = int(rng.integers(*SEGMENTS))
    reach = min(width / segments, height) / 3
    columns = np.linspace(0, width - 1, segments + 1)
    moves = rng.uniform(-reach / 2, reach / 2, (2, 2, segments + 1))  # (x or y, top or bottom, point)
    moves[:, :, [0, -1]] = np.abs(moves[:, :, [0, -1]]) * [1, -1]  # corners move inwards
    dx, dy = (np.stack([np.interp(np.arange(width), columns, row) for row in axis]) for axis in moves)
    return _warp(image, dx, dy)


def stretch(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Moves cuts across the line along it, by up to 80 % of a segment to both sides together."""
    width = image.shape[1]
    segments = int(rng.integers(*SEGMENTS))
    reach = width / segments * 0.4
    columns = np.linspace(0, width - 1, segments + 1)
    moves = rng.uniform(-reach, reach, segments + 1)
    moves[[0, -1]] = 0.0
    dx = np.interp(np.arange(width), columns, moves)
    return _warp(image, np.stack([dx, dx]), np.zeros((2, width)))


def perspective(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Moves the four corners up or down, inwards, by up to a quarter of the height."""
    height, width = image.shape[:2]
    top_left, top_right, bottom_right, bottom_left = rng.uniform(0, height / 4, 4)
    old = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    new = old + np.array([[0, top_left], [0, top_right], [0, -bottom_right], [0, -bottom_left]], np.float32)
    matrix = cv2.getPerspectiveTransform(old, new.astype(np.float32))
    return cv2.warpPerspective(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def crop_rows(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Takes 1 to 8 rows, at most a sixth of the height, off the top or off the bottom."""
    rows = int(rng.integers(1, max(2, min(8, image.shape[0] // 6) + 1)))
    return image[rows:] if rng.random() < 0.5 else image[:-rows]


def shift(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shifts the picture right and down by up to 1 % of its shorter side, or by up to one pixel if that is more."""
    reach = max(1.0, min(image.shape[:2]) * 0.01)
    dx, dy = rng.uniform(0, reach, 2).round()
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    return cv2.warpAffine(image, matrix, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)


def _warp(image: np.ndarray, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Samples the picture at every pixel moved by (dx, dy); each (2, W): moves at the top and at the bottom row."""
    height, width = image.shape[:2]
    down = np.linspace(0, 1, height)[:, None]  # (H, 1)
    x = np.arange(width) + (1 - down) * dx[0] + down * dx[1]
    y = np.arange(height)[:, None] + (1 - down) * dy[0] + down * dy[1]
    return cv2.remap(
        image, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
