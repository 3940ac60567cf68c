"""Paints letters onto a background: fills, outlines, shadows, neon, bevels, in colours of enough contrast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

# Colours of shop fronts and web shops: hue in degrees, saturation, value, relative frequency.
_PAINTS = (
    (0, 0.0, 1.0, 32), (0, 0.0, 0.06, 20), (0, 0.03, 0.6, 14), (30, 0.12, 0.85, 8), (358, 0.9, 0.82, 20),
    (340, 0.75, 0.9, 4), (52, 0.95, 0.98, 11), (30, 0.9, 0.95, 6), (215, 0.85, 0.7, 10), (200, 0.7, 0.85, 6),
    (225, 0.7, 0.35, 4), (130, 0.75, 0.55, 6), (90, 0.6, 0.7, 3), (280, 0.55, 0.6, 3), (320, 0.75, 0.9, 3),
    (25, 0.6, 0.4, 5), (42, 0.5, 0.75, 4), (180, 0.5, 0.6, 2),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one line, each (3,) float32 BGR in 0..255.

    Attributes:
        ground: of the background.
        ink: of the letters.
        edge: of their outline.
    """

    ground: np.ndarray
    ink: np.ndarray
    edge: np.ndarray


def choose_palette(rng: np.random.Generator, hardness: float) -> Palette:
    """Draws the colours of a line.

    Args:
        rng: the source of every choice.
        hardness: 0 for a strong contrast of ground and ink, to 1 for a weak one.
    """
    contrast = (1 - hardness) * rng.uniform(95, 235) + hardness * rng.uniform(20, 70)
    ground = _colour(rng)
    ink = _far_from(ground, contrast, rng)
    return Palette(ground, ink, edge=_far_from(ink, 80, rng))


def paint_letters(canvas: np.ndarray, mask: np.ndarray, palette: Palette, rng: np.random.Generator) -> np.ndarray:
    """Paints letters onto a background in one of the styles of `_STYLES`.

    Args:
        canvas: (H, W, 3) float32, about 0..255, the background.
        mask: (H, W) float32 in 0..1, the letters.
        palette: the colours.
        rng: the source of every choice.

    Returns:
        (H, W, 3) float32; values may lie slightly outside 0..255.
    """
    names = list(_STYLES)
    weights = np.array([weight for weight, _ in _STYLES.values()])
    return _STYLES[names[rng.choice(len(names), p=weights / weights.sum())]][1](canvas, mask, palette, rng)


def luminance(colour: np.ndarray) -> np.ndarray:
    """Perceived brightness of colours.

    Args:
        colour: (..., 3) BGR in 0..255.

    Returns:
        (...) in 0..255.
    """
    return colour @ np.array([0.114, 0.587, 0.299], np.float32)


def _colour(rng: np.random.Generator) -> np.ndarray:
    weights = np.array([paint[3] for paint in _PAINTS], float)
    hue, saturation, value, _ = _PAINTS[rng.choice(len(_PAINTS), p=weights / weights.sum())]
    hue = (hue + rng.normal(0, 8)) % 360
    saturation = np.clip(saturation + rng.normal(0, 0.07), 0, 1)
    value = np.clip(value + rng.normal(0, 0.09), 0, 1)
    pixel = np.array([[[hue, saturation, value]]], np.float32)
    return cv2.cvtColor(pixel, cv2.COLOR_HSV2BGR)[0, 0] * 255


def _far_from(other: np.ndarray, contrast: float, rng: np.random.Generator) -> np.ndarray:
    """A colour whose brightness differs from that of `other` by `contrast`, or the one of 12 that differs most."""
    found, found_distance = other, -np.inf
    for _ in range(12):
        colour = _colour(rng)
        distance = abs(float(luminance(colour) - luminance(other)))
        if distance >= contrast:
            return colour
        if distance > found_distance:
            found, found_distance = colour, distance
    return found


def _lay(canvas: np.ndarray, mask: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Lays `colour`, (3,) or (H, W, 3), over `canvas` where `mask` is 1."""
    return canvas + mask[..., None] * (colour - canvas)


def _grow(mask: np.ndarray, radius_px: int) -> np.ndarray:
    return cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius_px + 1, 2 * radius_px + 1)))


def _shift(mask: np.ndarray, right_px: float, down_px: float) -> np.ndarray:
    return cv2.warpAffine(mask, np.float32([[1, 0, right_px], [0, 1, down_px]]), mask.shape[::-1])


def _ramp(shape: tuple[int, int], above: np.ndarray, below: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A vertical gradient from one colour to another within the middle third, where the letters stand: (H, 1, 3)."""
    position = np.linspace(-1, 2, shape[0], dtype=np.float32).clip(0, 1)
    if rng.random() < 0.3:
        position = 0.5 + 0.5 * np.tanh((position - 0.5) * 14)
    return (above + position[:, None] * (below - above))[:, None].astype(np.float32)


def _flat(canvas: np.ndarray, mask: np.ndarray, palette: Palette, rng: np.random.Generator) -> np.ndarray:
    return _lay(canvas, mask, palette.ink)


def _graded(canvas: np.ndarray, mask: np.ndarray, palette: Palette, rng: np.random.Generator) -> np.ndarray:
    """Vertical gradient, as on banners; the second colour stays near the first, so that the text stays readable."""
    other = palette.ink + (_colour(rng) - palette.ink) * np.float32(0.45)
    return _lay(canvas, mask, _ramp(mask.shape, palette.ink, other, rng))


def _two_inks(canvas: np.ndarray, mask: np.ndarray, palette: Palette, rng: np.random.Generator) -> np.ndarray:
    """A part of the line in another colour, as for prices and brands."""
    width = mask.shape[1]
    cut = rng.uniform(0.3, 0.7) * width
    other = _far_from(palette.ground, 90, rng)
    inks = np.where((np.arange(width) < cut)[None, :, None], palette.ink, other).astype(np.float32)
    return _lay(canvas, mask, inks)


def _worn(canvas: np.ndarray, mask: np.ndarray, palette: Palette, rng: np.random.Generator) -> np.ndarray:
    """Paint that has partly peeled off."""
    noise = cv2.GaussianBlur(rng.standard_normal(mask.shape).astype(np.float32), (0, 0), 2.0) * 6
    return _lay(canvas, mask * np.clip(1.15 + rng.uniform(0.1, 0.3) * noise, 0.25, 1), palette.ink)


def _outlined(canvas: np.ndarray, mask: np.ndarray, palette: Palette, rng: np.random.Generator) -> np.ndarray:
    radius = int(rng.integers(2, 6))
    canvas = _lay(canvas, _grow(mask, radius), palette.edge)
    if rng.random() < 0.25:
        canvas = _lay(canvas, _grow(mask, max(radius // 2, 1)), (palette.ink + palette.ground) / 2)
    return (_graded if rng.random() < 0.3 else _flat)(canvas, mask, palette, rng)


def _shadowed(canvas: np.ndarray, mask: np.ndarray, palette: Palette, rng: np.random.Generator) -> np.ndarray:
    right, down = rng.uniform(-5, 6), rng.uniform(1.5, 6)
    soft = cv2.GaussianBlur(_shift(mask, right, down), (0, 0), rng.uniform(0.6, 3.5))
    dark = palette.ground * 0.25 if luminance(palette.ink) > 90 else palette.ground * 0.5 + 110
    return _flat(_lay(canvas, soft * np.float32(rng.uniform(0.4, 0.9)), dark), mask, palette, rng)


def _solid(canvas: np.ndarray, mask: np.ndarray, palette: Palette, rng: np.random.Generator) -> np.ndarray:
    """Letters with depth: darker sides behind the front."""
    side = palette.ink * np.float32(rng.uniform(0.3, 0.6))
    lean = rng.uniform(-0.9, 0.9)
    for step in range(int(rng.integers(3, 7)), 0, -1):
        canvas = _lay(canvas, _shift(mask, lean * step, step * 0.8), side)
    return _flat(canvas, mask, palette, rng)


def _bevelled(canvas: np.ndarray, mask: np.ndarray, palette: Palette, rng: np.random.Generator) -> np.ndarray:
    """Raised or engraved letters in the light of a lamp: bright on one flank, dark on the other."""
    height = cv2.GaussianBlur(mask, (0, 0), rng.uniform(1.0, 2.2))
    light = cv2.Sobel(height, cv2.CV_32F, 0, 1) + np.float32(rng.uniform(-1, 1)) * cv2.Sobel(height, cv2.CV_32F, 1, 0)
    light *= np.float32(rng.choice([-1, 1]) * rng.uniform(30, 75))
    same = rng.random() < 0.35  # stamped into the ground itself
    canvas = _lay(canvas, mask, palette.ground * 0.8 + palette.ink * 0.2 if same else palette.ink)
    return canvas + light[..., None] * (1.5 if same else 1.0)


def _glowing(canvas: np.ndarray, mask: np.ndarray, palette: Palette, rng: np.random.Generator) -> np.ndarray:
    """Neon tubes or lit letters at night."""
    tint = _colour(rng) * 0.8 + 50
    canvas = canvas * np.float32(rng.uniform(0.2, 0.5))
    for sigma, strength in ((9, 0.5), (4, 0.7)):
        canvas = canvas + tint * (strength * cv2.GaussianBlur(mask, (0, 0), sigma))[..., None]
    core = cv2.erode(mask, np.ones((3, 3), np.uint8)) if rng.random() < 0.4 else mask
    return _lay(canvas, core, np.minimum(tint * 0.35 + 170, 255))


def _hollow(canvas: np.ndarray, mask: np.ndarray, palette: Palette, rng: np.random.Generator) -> np.ndarray:
    """The contour of the letters alone."""
    ring = np.clip(_grow(mask, 2) - cv2.erode(mask, np.ones((2, 2), np.uint8)) * 0.9, 0, 1)
    return _lay(canvas, ring, palette.ink)


def _sheer(canvas: np.ndarray, mask: np.ndarray, palette: Palette, rng: np.random.Generator) -> np.ndarray:
    """A watermark through which the background is visible."""
    return _lay(canvas, mask * np.float32(rng.uniform(0.4, 0.75)), palette.ink)


# relative frequency and function of each style
_STYLES: dict[str, tuple[float, Callable[..., np.ndarray]]] = {
    "flat": (0.34, _flat),
    "graded": (0.1, _graded),
    "two inks": (0.04, _two_inks),
    "worn": (0.06, _worn),
    "outlined": (0.18, _outlined),
    "shadowed": (0.1, _shadowed),
    "solid": (0.04, _solid),
    "bevelled": (0.06, _bevelled),
    "glowing": (0.04, _glowing),
    "hollow": (0.03, _hollow),
    "sheer": (0.07, _sheer),
}
