"""Scores of found boxes: precision, recall and their harmonic mean, as PaddleOCR's DetMetric counts them.

Protocol: the one of ICDAR 2015 (Karatzas et al., Robust Reading Competition, challenge 4). Reference:
ppocr/metrics/eval_det_iou.py. A found box is right if it and a true one overlap by more than half (intersection over
union). True boxes are gone through in their order and take the first free box that fits, not the best.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from shapely.geometry import Polygon

LEAST_IOU = 0.5  # more than that is a match
LEAST_COVERED = 0.5  # of a found box, by an ignored one: more than that, and the box does not count


@dataclass(frozen=True, slots=True)
class BoxCounts:
    """What was counted on one photo, or on many.

    Attributes:
        truths: true boxes that count.
        found: found boxes that count.
        matched: of both, how many belong together.
    """

    truths: int
    found: int
    matched: int

    @classmethod
    def total(cls, counts: Iterable[BoxCounts]) -> BoxCounts:
        """The sums over photos."""
        counts = list(counts)
        return cls(sum(c.truths for c in counts), sum(c.found for c in counts), sum(c.matched for c in counts))

    @property
    def precision(self) -> float:
        """The share of the found boxes that is right, in [0, 1]; 0 where nothing was found."""
        return self.matched / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """The share of the true boxes that was found, in [0, 1]; 0 without a true box."""
        return self.matched / self.truths if self.truths else 0.0

    @property
    def hmean(self) -> float:
        """The harmonic mean of precision and recall, in [0, 1]."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Ratios and counts, for JSON."""
        return {**{name: getattr(self, name) for name in ("precision", "recall", "hmean")}, **asdict(self)}


def count_boxes(truths: Sequence[np.ndarray], ignored: Sequence[bool], found: Sequence[np.ndarray]) -> BoxCounts:
    """Compares the boxes found on a photo with the true ones.

    Args:
        truths: outlines (N, 2) in pixels; those that cross themselves are left out, here and among the found ones.
        ignored: of each true box, whether it counts neither for nor against; boxes found mostly on it do not count.
        found: outlines.
    """
    shapes = [(shape, skip) for shape, skip in zip(map(_shape, truths), ignored, strict=True) if shape is not None]
    cared = [shape for shape, skip in shapes if not skip]
    left_out = [shape for shape, skip in shapes if skip]
    free = [shape for shape in map(_shape, found) if shape is not None and not _is_covered(shape, left_out)]
    count, matched = len(free), 0
    for truth in cared:
        hit = next(
            (number for number, shape in enumerate(free) if intersection_over_union(truth, shape) > LEAST_IOU), None
        )
        if hit is not None:
            matched += 1
            del free[hit]
    return BoxCounts(len(cared), count, matched)


def intersection_over_union(one: Polygon, other: Polygon) -> float:
    """The overlap of two shapes, in [0, 1]."""
    both = one.intersection(other).area
    return both / (one.area + other.area - both) if both else 0.0


def _shape(outline: np.ndarray) -> Polygon | None:
    """The shape of an outline (N, 2), None for one that crosses itself or has fewer than 3 points."""
    shape = Polygon(outline) if len(outline) >= 3 else None
    return shape if shape is not None and shape.is_valid else None


def _is_covered(shape: Polygon, ignored: Sequence[Polygon]) -> bool:
    return any(shape.intersection(other).area > LEAST_COVERED * shape.area for other in ignored)
