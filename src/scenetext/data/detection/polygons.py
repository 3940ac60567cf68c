"""Outlines of texts: rectangles around them, larger and smaller ones, and their order of corners."""

from __future__ import annotations

import cv2
import numpy as np
import pyclipper
import shapely

STEEPEST_DEGREES = 60  # of a line of text; what is steeper is a column
ELONGATED = 1.5


def offset_distance(polygon: np.ndarray, ratio: float) -> float:
    """How far an outline is moved: area * ratio / perimeter in pixels (Liao et al. 2020, arXiv 1911.08947, 3.4).

    Args:
        polygon: (N, 2), x and y of at least 3 corners.
        ratio: 1 - r^2 where a text is shrunk by the ratio r, the unclip ratio where a box is enlarged.
    """
    outline = shapely.Polygon(polygon)
    return outline.area * ratio / outline.length if outline.length else 0.0


def offset_polygon(polygon: np.ndarray, distance_px: float) -> list[np.ndarray]:
    """Moves an outline outwards, or inwards by a negative distance, with round corners (Vatti 1992).

    Args:
        polygon: (N, 2); pyclipper truncates the numbers to whole pixels.
        distance_px: how far.

    Returns:
        The outlines that result, (M, 2) int64 each: none where nothing is left, several where one falls apart.
    """
    offset = pyclipper.PyclipperOffset()
    offset.AddPath(polygon, pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    return [np.array(path, np.int64) for path in offset.Execute(distance_px)]


def min_area_quad(points: np.ndarray) -> tuple[np.ndarray, float]:
    """The smallest rectangle, turned as need be, around points.

    Args:
        points: (N, 2) int32 or float32.

    Returns:
        Its corners, (4, 2) float32, from the upper left one clockwise: of the two on the left the upper one is the
        first, of the two on the right the upper one is the second. And its short side in pixels.
    """
    rectangle = cv2.minAreaRect(points)
    corners = sorted(cv2.boxPoints(rectangle), key=lambda corner: corner[0])
    left, right = (sorted(pair, key=lambda corner: corner[1]) for pair in (corners[:2], corners[2:]))
    if left[0][1] == left[1][1]:
        left = corners[1::-1]
    if right[0][1] == right[1][1]:
        right = corners[:1:-1]
    return np.array([left[0], right[0], right[1], left[1]], np.float32), min(rectangle[1])


def order_corners(quad: np.ndarray) -> np.ndarray:
    """The corners of a quadrilateral in the order in which its text is read, from the upper left one clockwise.

    A text runs along the longer edges, from left to right, if these rise or fall by STEEPEST_DEGREES at most. Steeper
    ones are columns, and of boxes less long than ELONGATED heights the more horizontal edges count. PaddleOCR
    (predict_det.py) takes the smallest and the largest x + y instead. The result is the same up to 45 degrees; beyond,
    it reads rising texts upside down, and at 45 degrees, which designers like, a corner may appear twice.

    Args:
        quad: (4, 2), x and y in pixels.

    Returns:
        (4, 2) float32.
    """
    corners = np.asarray(quad, np.float32)
    middle = corners.mean(axis=0)
    corners = corners[np.argsort(np.arctan2(*(corners - middle).T[::-1]), kind="stable")]  # clockwise
    edges = np.roll(corners, -1, axis=0) - corners
    axes = edges[:2] - edges[2:]  # (2, 2): twice the mean of each pair of opposite edges
    lengths = np.linalg.norm(axes, axis=1)
    long = int(lengths[1] > lengths[0])
    slope = abs(axes[:, 1]) - abs(axes[:, 0])  # the smaller, the more horizontal
    if lengths[long] >= ELONGATED * lengths[1 - long]:
        steepest = np.tan(np.deg2rad(STEEPEST_DEGREES))
        along = long if abs(axes[long, 1]) <= steepest * abs(axes[long, 0]) else 1 - long
    else:
        along = int(slope[1] < slope[0])
    return np.roll(corners, -along if axes[along, 0] >= 0 else -along - 2, axis=0)


def fill(shape: tuple[int, int], polygon: np.ndarray) -> np.ndarray:
    """(H, W) uint8, 1 in a polygon whose corners are truncated to whole pixels and 0 elsewhere."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, polygon.reshape(1, -1, 2).astype(np.int32), 1)
    return mask
