"""The target maps of differentiable binarization: text shrunk, and thresholds around its outline.

Paper: Liao et al., Real-time Scene Text Detection with Differentiable Binarization, AAAI 2020, arXiv:1911.08947,
section 3.3. Reference: ppocr/data/imaug/make_shrink_map.py and make_border_map.py.
An outline is moved by D = area (1 - r^2) / perimeter (equation 10), with its coordinates cut to whole pixels before.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from scenetext.data.detection.polygons import offset_distance, offset_polygon

SMALLEST_AREA = 1.0  # square pixels; smaller outlines are ignored


def border_map(
    polygons: Sequence[np.ndarray],
    ignored: Sequence[bool],
    size: tuple[int, int],
    ratio: float,
    low: float,
    high: float,
) -> tuple[np.ndarray, np.ndarray]:
    """The threshold map: `high` on each outline, falling to `low` at the distance D.

    Args:
        polygons: outlines (N, 2), x and y in pixels; they may lie outside.
        ignored: of each, whether it is left out.
        size: (height, width) in pixels.
        ratio: r of the distance.
        low, high: the thresholds.

    Returns:
        (H, W) float32 in [low, high], and a mask (H, W) float32 in {0, 1} of where it counts.
    """
    nearness, mask = np.zeros(size, np.float32), np.zeros(size, np.float32)
    for polygon, is_ignored in zip(polygons, ignored, strict=True):
        if not is_ignored:
            _draw_border(polygon, ratio, nearness, mask)
    return nearness * (high - low) + low, mask


def _draw_border(polygon: np.ndarray, ratio: float, nearness: np.ndarray, mask: np.ndarray) -> None:
    distance = offset_distance(polygon, 1 - ratio**2)
    outlines = offset_polygon(polygon, distance) if distance > 0 else []
    if not outlines:
        return
    outer = outlines[0]
    cv2.fillPoly(mask, [outer.astype(np.int32)], 1.0)
    height, width = nearness.shape
    left, top = np.maximum(outer.min(0), 0)
    right, bottom = np.minimum(outer.max(0), (width - 1, height - 1))
    if left > right or top > bottom:
        return
    x, y = np.arange(left, right + 1)[None, :], np.arange(top, bottom + 1)[:, None]
    nearest = np.ones((bottom - top + 1, right - left + 1))
    for start, end in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        nearest = np.fmin(nearest, np.clip(_edge_distance(x, y, start, end) / distance, 0, 1))
    part = nearness[top : bottom + 1, left : right + 1]
    np.fmax(part, 1 - nearest, out=part)


def _edge_distance(x: np.ndarray, y: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """PaddleOCR's distance of pixels to an edge, which is not that to the nearest point of it.

    Where the edge is seen under a right angle or more, it is the distance to the line through it; elsewhere that to the
    nearer end.
    """
    to_start = np.square(x - start[0]) + np.square(y - start[1])
    to_end = np.square(x - end[0]) + np.square(y - end[1])
    length = np.square(start[0] - end[0]) + np.square(start[1] - end[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = (length - to_start - to_end) / (2 * np.sqrt(to_start * to_end))
        to_line = np.sqrt(to_start * to_end * np.nan_to_num(1 - np.square(cosine)) / length)
    return np.where(cosine < 0, np.sqrt(np.fmin(to_start, to_end)), to_line)


def shrink_map(
    polygons: Sequence[np.ndarray], ignored: Sequence[bool], size: tuple[int, int], ratio: float, smallest_px: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The shrink map: 1 where text is, after each outline was moved inwards by D.

    Args:
        polygons: outlines (N, 2), x and y in pixels; points outside are moved to the nearest pixel.
        ignored: of each, whether it is left out.
        size: (height, width) in pixels.
        ratio: r of the distance; a multiple of it is tried where the text falls apart.
        smallest_px: text that is less high or wide is left out.

    Returns:
        (H, W) float32 in {0, 1}; a mask (H, W) float32 in {0, 1}, 0 on text that is left out; and of each outline
        whether it was left out, (N,) bool.
    """
    height, width = size
    text, mask = np.zeros(size, np.float32), np.ones(size, np.float32)
    left_out = np.array(ignored, bool)
    for number, polygon in enumerate(polygons):
        polygon = np.clip(polygon, 0, (width - 1, height - 1))
        left_out[number] |= abs(_signed_area(polygon)) < SMALLEST_AREA
        shrunk = []
        if not left_out[number] and min(np.ptp(polygon, axis=0)) >= smallest_px:
            shrunk = _shrunk(polygon, ratio)
        if shrunk:
            for outline in shrunk:
                cv2.fillPoly(text, [outline.astype(np.int32)], 1.0)
        else:
            left_out[number] = True
            cv2.fillPoly(mask, [polygon.astype(np.int32)], 0.0)
    return text, mask, left_out


def _shrunk(polygon: np.ndarray, ratio: float) -> list[np.ndarray]:
    """The outline moved inwards, by less and less until it stays one; none where nothing remains."""
    outlines: list[np.ndarray] = []
    for own in np.arange(ratio, 1, ratio):
        outlines = offset_polygon(polygon, -offset_distance(polygon, 1 - own**2))
        if len(outlines) == 1:
            break
    return outlines


def _signed_area(polygon: np.ndarray) -> float:
    x, y = polygon[:, 0], polygon[:, 1]
    return float(np.sum(x * np.roll(y, 1) - y * np.roll(x, 1)) / 2)
