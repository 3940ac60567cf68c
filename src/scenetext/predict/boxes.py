"""From a detector's map to boxes: the post-processing of differentiable binarization.

Paper: Liao et al., AAAI 2020, arXiv:1911.08947, section 3.4.
The map is cut at a threshold, and every outline of what remains becomes a box, which is enlarged because the network
learns shrunken texts. Equal to PaddleOCR's DBPostProcess, which keeps the scores to itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from scenetext.data.detection.polygons import fill, min_area_quad, offset_distance, offset_polygon

LEAST_SIDE_PX = 3  # of a text in the map; an enlarged one has LEAST_ENLARGED_PX
LEAST_ENLARGED_PX = 5
LEAST_CORNERS = 4
POLYGON_TOLERANCE = 0.002  # of the perimeter, by which an outline may be simplified


class Box(NamedTuple):
    """Where a detector found text.

    Attributes:
        points: (N, 2) int64, x and y in pixels of the photo; of a quadrilateral the corners from the upper left one
            clockwise.
        score: mean probability of text in [0, 1].
    """

    points: np.ndarray
    score: float


@dataclass(frozen=True, slots=True)
class BoxRule:
    """How boxes are made of a map; names and defaults are those of PaddleOCR's DBPostProcess.

    Attributes:
        thresh: a pixel of a larger probability is text.
        box_thresh: least mean probability of a box.
        max_candidates: the most outlines that are looked at.
        unclip_ratio: a box is enlarged by area * ratio / perimeter.
        use_dilation: join texts across one pixel.
        score_mode: "fast": the mean over the rectangle around the outline; "slow": over the outline itself.
        box_type: "quad": rectangles, turned as need be; "poly": outlines of any number of points, scored over these.
    """

    thresh: float = 0.3
    box_thresh: float = 0.7
    max_candidates: int = 1000
    unclip_ratio: float = 2.0
    use_dilation: bool = False
    score_mode: str = "fast"
    box_type: str = "quad"

    def boxes(self, probabilities: np.ndarray, photo_size: tuple[int, int]) -> list[Box]:
        """Finds the boxes of one photo, in the order of OpenCV's outlines, from the bottom up.

        Args:
            probabilities: (H, W) float32 in [0, 1], of the resized photo.
            photo_size: height and width of the photo itself, to whose pixels the boxes are scaled.
        """
        bitmap = (probabilities > self.thresh).astype(np.uint8)
        if self.use_dilation:
            bitmap = cv2.dilate(bitmap, np.ones((2, 2), np.uint8))
        outlines, _ = cv2.findContours(bitmap * 255, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        find = self._polygon if self.box_type == "poly" else self._quad
        found = (find(probabilities, outline.reshape(-1, 2)) for outline in outlines[: self.max_candidates])
        return [Box(_scaled(box.points, probabilities.shape, photo_size), box.score) for box in found if box]

    def _quad(self, probabilities: np.ndarray, outline: np.ndarray) -> Box | None:
        """A box in pixels of the map; None where an outline is no text."""
        quad, side_px = min_area_quad(outline)
        if side_px < LEAST_SIDE_PX:
            return None
        score = mean_in(probabilities, outline if self.score_mode == "slow" else quad)
        if score < self.box_thresh:
            return None
        enlarged = self._enlarged(quad)
        if enlarged is None:
            return None
        quad, side_px = min_area_quad(enlarged)
        return None if side_px < LEAST_ENLARGED_PX else Box(quad, score)

    def _polygon(self, probabilities: np.ndarray, outline: np.ndarray) -> Box | None:
        """The same as an outline of any number of points."""
        tolerance = POLYGON_TOLERANCE * cv2.arcLength(outline, True)
        polygon = cv2.approxPolyDP(outline, tolerance, True).reshape(-1, 2)
        if len(polygon) < LEAST_CORNERS:
            return None
        score = mean_in(probabilities, polygon)
        if score < self.box_thresh:
            return None
        enlarged = self._enlarged(polygon)
        if enlarged is None:
            return None
        _, side_px = min_area_quad(enlarged)
        return None if side_px < LEAST_ENLARGED_PX else Box(enlarged, score)

    def _enlarged(self, polygon: np.ndarray) -> np.ndarray | None:
        """(N, 2) int32; None where the polygon is none or falls apart."""
        enlarged = offset_polygon(polygon, offset_distance(polygon, self.unclip_ratio))
        return enlarged[0].astype(np.int32) if len(enlarged) == 1 else None


def mean_in(probabilities: np.ndarray, polygon: np.ndarray) -> float:
    """The mean of a map, (H, W) float32, within a polygon, (N, 2) in its pixels; parts beyond the map do not count."""
    height, width = probabilities.shape
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    left, right = (int(np.clip(side, 0, width - 1)) for side in (np.floor(low[0]), np.ceil(high[0])))
    top, bottom = (int(np.clip(side, 0, height - 1)) for side in (np.floor(low[1]), np.ceil(high[1])))
    part = probabilities[top : bottom + 1, left : right + 1]
    return cv2.mean(part, fill(part.shape, polygon - (left, top)))[0]


def _scaled(points: np.ndarray, map_size: tuple[int, int], photo_size: tuple[int, int]) -> np.ndarray:
    """(N, 2) int64 in pixels of the photo, its borders included."""
    sizes = np.array(photo_size[::-1], np.float64)  # in float32 a half would fall to the other side now and then
    in_photo = points / np.array(map_size[::-1], points.dtype) * sizes
    return np.clip(np.round(in_photo), 0, sizes).astype(np.int64)
