"""The order in which the texts of a photo are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class _Extent(NamedTuple):
    """Middle, left end and height of a text in pixels."""

    x: float
    y: float
    left: float
    height: float


def reading_order(outlines: Sequence[np.ndarray]) -> list[int]:
    """Rows from the top down, each from left to right.

    A text belongs to a row if the middle of its height differs from that of its neighbour there, on the left or on the
    right, by less than half the height of the lower of the two. PaddleOCR (sorted_boxes) takes ten pixels instead, and
    so the order that it finds depends on the resolution: it tears tilted rows of large letters apart and mixes rows of
    small ones.

    Args:
        outlines: (N, 2) each, x and y in pixels.

    Returns:
        The indices of the outlines in reading order.
    """
    extents = [_extent(np.asarray(outline, np.float64)) for outline in outlines]
    rows: list[list[int]] = []
    for index in sorted(range(len(extents)), key=lambda index: (extents[index].y, extents[index].left)):
        for row in rows:
            if _continues([extents[other] for other in row], extents[index]):
                row.append(index)
                break
        else:
            rows.append([index])
    return [index for row in rows for index in sorted(row, key=lambda index: extents[index].left)]


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
