"""Scores of a detector: precision, recall and hmean of its boxes, by PaddleOCR's DetMetric.

A text is found if a box has more than half of their common area with it (IoU, Everingham et al. 2010, section 4.2). The
pairs are taken in the order of the texts and then of the boxes, the first that suffices and not the best. A box that
lies for more than half of its area in an ignored text counts neither as right nor as wrong, and an outline that crosses
itself is left out on either side (ICDAR 2015's evaluation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import shapely

LEAST_OVERLAP = 0.5
LEAST_CORNERS = 3


@dataclass(frozen=True, slots=True)
class DetectionScores:
    """What a detector found; those of several photos are added.

    Attributes:
        matched: texts that were found.
        detections: boxes that count.
        texts: texts that count.
    """

    matched: int = 0
    detections: int = 0
    texts: int = 0

    def __add__(self, other: DetectionScores) -> DetectionScores:
        return DetectionScores(
            self.matched + other.matched, self.detections + other.detections, self.texts + other.texts
        )

    @property
    def precision(self) -> float:
        """Ratio of the boxes that are right, in [0, 1]; 0 where there are none."""
        return self.matched / self.detections if self.detections else 0.0

    @property
    def recall(self) -> float:
        """Ratio of the texts that were found, in [0, 1]; 0 where there are none."""
        return self.matched / self.texts if self.texts else 0.0

    @property
    def hmean(self) -> float:
        """Harmonic mean of precision and recall, in [0, 1]."""
        return harmonic_mean(self.precision, self.recall)

    def as_dict(self) -> dict[str, Any]:
        """Counts and ratios, for JSON."""
        return {**asdict(self), "precision": self.precision, "recall": self.recall, "hmean": self.hmean}


def detection_scores(
    texts: Sequence[np.ndarray], ignored: Sequence[bool], detections: Sequence[np.ndarray]
) -> DetectionScores:
    """Compares the boxes of one photo with its texts.

    Args:
        texts: the outlines of all texts, (N, 2) each.
        ignored: for each of them, whether it does not count.
        detections: the outlines that were found, (M, 2) each.
    """
    outlines = [(outline, skip) for outline, skip in zip(map(_outline, texts), ignored, strict=True) if outline]
    cared = [outline for outline, skip in outlines if not skip]
    uncared = [outline for outline, skip in outlines if skip]
    found = [box for box in map(_outline, detections) if box and not _lies_in_one(box, uncared)]
    free_text, free_box, matched = [True] * len(cared), [True] * len(found), 0
    for at, box_at in overlapping(cared, found):
        if free_text[at] and free_box[box_at] and overlap(cared[at], found[box_at]) > LEAST_OVERLAP:
            free_text[at] = free_box[box_at] = False
            matched += 1
    return DetectionScores(matched, len(found), len(cared))


def overlapping(texts: Sequence[shapely.Geometry], boxes: Sequence[shapely.Geometry]) -> list[tuple[int, int]]:
    """The pairs of a text and a box that touch, by their indices, in the order of the texts and then of the boxes."""
    pairs = shapely.STRtree(boxes).query(np.array(texts, dtype=object), predicate="intersects")
    return sorted(zip(*pairs.tolist(), strict=True))


def overlap(one: shapely.Geometry, other: shapely.Geometry) -> float:
    """Intersection over union in [0, 1]; 0 where both have no area."""
    union = one.union(other).area
    return one.intersection(other).area / union if union else 0.0


def harmonic_mean(precision: float, recall: float) -> float:
    """2 * precision * recall / (precision + recall), 0 where both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _outline(points: np.ndarray) -> shapely.Polygon | None:
    """The polygon; None where it crosses itself or has no area."""
    if len(points) < LEAST_CORNERS:
        return None
    outline = shapely.Polygon(points)
    return outline if outline.is_valid else None


def _lies_in_one(box: shapely.Polygon, ignored: Sequence[shapely.Polygon]) -> bool:
    return any(box.intersection(text).area > LEAST_OVERLAP * box.area for text in ignored)
