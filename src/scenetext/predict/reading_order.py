"""The order in which the texts of a photo are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LEAST_LENGTH = 1.5  # widths to a height from which a text shows how the photo is tilted
SAME_TILT_DEGREES = 5.0


class _Extent(NamedTuple):
    """Middle, left end and height of a text in pixels."""

    x: float
    y: float
    left: float
    height: float


def reading_order(outlines: Sequence[np.ndarray]) -> list[int]:
    """Rows from the top down, each from left to right.

    A text belongs to a row if the middle of its height differs from that of its neighbour there, on the left or on the
    right, by less than half the height of the lower of the two. If most lines have one tilt, the photo is turned back
    by it before. PaddleOCR (sorted_boxes) takes ten pixels instead, and so the order that it finds depends on the
    resolution: it tears tilted rows apart and those of large letters, and mixes rows of small ones.

    Args:
        outlines: (N, 2) each, x and y in pixels; of four corners the first two are the upper edge.

    Returns:
        The indices of the outlines in reading order.
    """
    arrays = [np.asarray(outline, np.float64) for outline in outlines]
    angle = np.deg2rad(_tilt_degrees(arrays))
    upright = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    extents = [_extent(outline @ upright) for outline in arrays]
    rows: list[list[int]] = []
    for index in sorted(range(len(extents)), key=lambda index: (extents[index].y, extents[index].left)):
        for row in rows:
            if _continues([extents[other] for other in row], extents[index]):
                row.append(index)
                break
        else:
            rows.append([index])
    return [index for row in rows for index in sorted(row, key=lambda index: extents[index].left)]


def _tilt_degrees(outlines: Sequence[np.ndarray]) -> float:
    """How far most lines fall to the right; 0 where no tilt is that of most."""
    edges = [(o[1] - o[0], o[3] - o[0]) for o in outlines if len(o) == 4]
    along = [edge for edge, side in edges if np.linalg.norm(edge) >= LEAST_LENGTH * np.linalg.norm(side)]
    if not along:
        return 0.0
    degrees = np.rad2deg([np.arctan2(y, x) for x, y in along])
    tilt = float(np.median(degrees))
    return tilt if (abs(degrees - tilt) <= SAME_TILT_DEGREES).mean() > 0.5 else 0.0


def _extent(outline: np.ndarray) -> _Extent:
    (left, top), (right, bottom) = outline.min(axis=0), outline.max(axis=0)
    return _Extent((left + right) / 2, (top + bottom) / 2, left, bottom - top)


def _continues(row: Sequence[_Extent], text: _Extent) -> bool:
    """Whether a text is at the height of one of the row's texts next to it."""
    before = [other for other in row if other.x <= text.x]
    behind = [other for other in row if other.x > text.x]
    neighbours = [max(before, key=lambda other: other.x)] if before else []
    neighbours += [min(behind, key=lambda other: other.x)] if behind else []
    return any(abs(other.y - text.y) < min(other.height, text.height) / 2 for other in neighbours)
