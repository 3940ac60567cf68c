"""Backgrounds of lines: plain and graded panels, stripes, tiles, metal, photographs out of focus."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np


def paint_scenery(height: int, width: int, colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Paints a background of about the given colour, of one of the kinds of `_KINDS`.

    Args:
        height, width: of the canvas, in pixels.
        colour: (3,) BGR in 0..255.
        rng: the source of every choice.

    Returns:
        (height, width, 3) float32, about 0..255.
    """
    kinds = list(_KINDS)
    weights = np.array([weight for weight, _ in _KINDS.values()])
    name = kinds[rng.choice(len(kinds), p=weights / weights.sum())]
    canvas = np.empty((height, width, 3), np.float32)
    canvas[:] = colour
    return _KINDS[name][1](canvas, rng)


def cover_partly(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Covers parts of a line by wires, twigs, a shadow or a glare.

    Args:
        canvas: (H, W, 3) float32, about 0..255.
        rng: the source of every choice.

    Returns:
        (H, W, 3) float32.
    """
    height, width = canvas.shape[:2]
    over = canvas.copy()
    if rng.random() < 0.6:
        tone = rng.uniform(0, 255, 3) * rng.choice([0.3, 1.0])
        for _ in range(int(rng.integers(1, 3 + width // 300))):
            start = rng.uniform((0, 0.25 * height), (width, 0.75 * height))
            end = start + rng.normal(0, 1, 2) * (0.6 * height + 60)
            ends = start.astype(int).tolist(), end.astype(int).tolist()
            cv2.line(over, *ends, tone.tolist(), int(rng.integers(2, 6)), cv2.LINE_AA)
        return over
    left, lean = rng.uniform(0, width), rng.normal(0, 40)
    right = left + rng.uniform(30, 160)
    corners = [(left, 0), (right, 0), (right + lean, height), (left + lean, height)]
    cv2.fillPoly(over, [np.array(corners, np.int32)], [float(rng.choice([0, 255]))] * 3, cv2.LINE_AA)
    over = cv2.GaussianBlur(over, (0, 0), rng.uniform(0.6, 4))
    return canvas + np.float32(rng.uniform(0.25, 0.6)) * (over - canvas)


def smooth_noise(height: int, width: int, cell_px: float, rng: np.random.Generator, channels: int = 1) -> np.ndarray:
    """Noise that changes over about `cell_px` pixels.

    Args:
        height, width: in pixels.
        cell_px: distance of the random values, between which it is interpolated.
        rng: the source of the values.
        channels: independent noises.

    Returns:
        (height, width), or (height, width, channels) for several channels: float32, standard deviation about 1.
    """
    coarse = rng.standard_normal((int(height / cell_px) + 2, int(width / cell_px) + 2, channels)).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def _plain(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return canvas


def _graded(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A gradient from one shade to another, mostly from top to bottom as in banners."""
    height, width = canvas.shape[:2]
    angle = rng.normal(0, 0.25) if rng.random() < 0.7 else rng.uniform(0, 6.3)
    rows, columns = np.ogrid[0:height, 0:width]
    ramp = (np.cos(angle) * (rows / height - 0.5) + np.sin(angle) * (columns / width - 0.5)).astype(np.float32)
    ramp = ramp[..., None]
    return canvas * (1 + rng.uniform(-0.5, 0.5) * ramp) + rng.uniform(-45, 45, 3).astype(np.float32) * ramp


def _cloudy(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Uneven light, stains and folds."""
    height, width = canvas.shape[:2]
    strength = rng.uniform(3, 14)
    for cell_px in (60, 22, 7):
        canvas = canvas + strength * smooth_noise(height, width, cell_px, rng)[..., None]
        strength *= 0.55
    return canvas


def _grained(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Brushed metal or wood: streaks along the line."""
    height, width = canvas.shape[:2]
    streaks = smooth_noise(height, max(width // 24, 2), rng.uniform(1.5, 4), rng)
    streaks = cv2.resize(streaks, (width, height), interpolation=cv2.INTER_LINEAR)
    return _graded(canvas + rng.uniform(4, 13) * streaks[..., None], rng)


def _rough(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Concrete, cloth or cardboard: fine speckle."""
    height, width = canvas.shape[:2]
    speckle = rng.standard_normal((height, width)).astype(np.float32)
    speckle = cv2.GaussianBlur(speckle, (0, 0), rng.uniform(0.8, 1.8)) * 2.5
    return _cloudy(canvas + rng.uniform(4, 12) * speckle[..., None], rng)


def _striped(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Corrugated sheet, rays or a checked cloth."""
    height, width = canvas.shape[:2]
    rows, columns = np.ogrid[0:height, 0:width]
    angle, pitch_px = rng.uniform(0, 3.15), rng.uniform(7, 30)
    phase = (np.cos(angle) * columns + np.sin(angle) * rows) * (2 * np.pi / pitch_px)
    stripes = np.tanh(rng.uniform(1, 6) * np.sin(phase)).astype(np.float32)
    return canvas + (rng.uniform(4, 20) * stripes)[..., None]


def _tiled(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Wall tiles or bricks with joints."""
    height, width = canvas.shape[:2]
    canvas = _cloudy(canvas, rng)
    tile_h, tile_w = rng.integers(22, 60), rng.integers(40, 110)
    shade = rng.uniform(-45, 45)
    joint = (canvas.mean(axis=(0, 1)) + shade).tolist()
    for row, top in enumerate(range(int(-rng.integers(tile_h)), height, tile_h)):
        cv2.line(canvas, (0, top), (width, top), joint, 2)
        for left in range(int(-(row % 2) * tile_w // 2), width, tile_w):
            cv2.line(canvas, (left, top), (left, top + int(tile_h)), joint, 2)
    return canvas


def _pictured(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A photograph out of focus: patches of other colours with soft and hard edges."""
    height, width = canvas.shape[:2]
    spread = rng.uniform(14, 40)
    cell_px = rng.uniform(40, 110)
    canvas = canvas + spread * smooth_noise(height, width, cell_px, rng)[..., None]
    canvas = canvas + 0.45 * spread * smooth_noise(height, width, cell_px, rng, 3)
    for _ in range(int(rng.integers(2, 5 + width // 160))):
        centre = rng.uniform((0, 0), (width, height))
        corners = centre + rng.normal(0, rng.uniform(20, 90), (int(rng.integers(3, 7)), 2))
        colour = (
            canvas[int(centre[1]) % height, int(centre[0]) % width]
            + rng.normal(0, spread * 1.2)
            + rng.normal(0, spread * 0.4, 3)
        )
        patch = canvas.copy()
        cv2.fillPoly(patch, [corners.astype(np.int32)], colour.tolist(), cv2.LINE_AA)
        canvas = cv2.GaussianBlur(patch, (0, 0), rng.uniform(0.6, 7))
    return canvas + rng.uniform(2, 7) * smooth_noise(height, width, 4, rng)[..., None]


def _framed(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A panel whose edge, or a rule of another colour, passes above, below or beside the line."""
    height, width = canvas.shape[:2]
    canvas = _graded(canvas, rng)
    other = rng.uniform(0, 255, 3).tolist()
    tilt = int(rng.normal(0, 5))
    if rng.random() < 0.75:
        top = int(rng.choice([rng.uniform(0.24, 0.36), rng.uniform(0.7, 0.8)]) * height)
        if rng.random() < 0.5:
            cv2.line(canvas, (0, top), (width, top + tilt), other, int(rng.integers(2, 7)), cv2.LINE_AA)
        else:
            far = 0 if top < height / 2 else height
            corners = [(0, top), (width, top + tilt), (width, far), (0, far)]
            cv2.fillPoly(canvas, [np.array(corners, np.int32)], other, cv2.LINE_AA)
    else:
        left = int(rng.uniform(0.8, 0.98) * width)
        corners = [(left, 0), (left + tilt * 3, height), (width, height), (width, 0)]
        cv2.fillPoly(canvas, [np.array(corners, np.int32)], other, cv2.LINE_AA)
    return canvas


# relative frequency and function of each kind
_KINDS: dict[str, tuple[float, Callable[[np.ndarray, np.random.Generator], np.ndarray]]] = {
    "plain": (0.22, _plain),
    "graded": (0.18, _graded),
    "cloudy": (0.14, _cloudy),
    "grained": (0.06, _grained),
    "rough": (0.07, _rough),
    "striped": (0.05, _striped),
    "tiled": (0.03, _tiled),
    "pictured": (0.16, _pictured),
    "framed": (0.09, _framed),
}
