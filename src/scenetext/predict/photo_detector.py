"""A detector for whole photos: the boxes in them that can be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scenetext.data.detection.polygons import order_corners
from scenetext.data.detection.resize import LONGEST_SIDE_PX
from scenetext.predict.boxes import Box
from scenetext.predict.choices import AUTO
from scenetext.predict.detection_settings import DetectionSettings
from scenetext.predict.text_detector import open_detector

LEAST_SIDE_PX = 4  # of a box; smaller ones are no text (predict_det.py)
CORNERS = 4


class PhotoDetector:
    """Finds the texts of photos: `PhotoDetector(source)(photo)` → boxes.

    Args:
        source, engine, threads, max_side_px: see `open_detector`.

    Attributes:
        files: the SHA-256 and the size in bytes of its files, by name, as they were read.
    """

    def __init__(
        self,
        source: str | Path,
        engine: str = AUTO,
        threads: int | None = None,
        max_side_px: int = LONGEST_SIDE_PX,
    ):
        self._detector = open_detector(source, engine, threads, max_side_px)
        self.files = self._detector.files

    @property
    def settings(self) -> DetectionSettings:
        """What happens before and after its network."""
        return self._detector.settings

    @property
    def engine(self) -> str:
        """The name of the class that computes the network."""
        return type(self._detector.engine).__name__

    def __call__(self, photo: np.ndarray) -> list[Box]:
        """Finds the texts of a photo.

        Args:
            photo: (H, W, 3) uint8, blue first.

        Returns:
            The boxes within the photo, in the order of the detector. Those with four corners begin at the upper left
            one; the ones less than 4 pixels wide or high are left out.
        """
        height, width = photo.shape[:2]
        boxes = []
        for box in self._detector(photo):
            points = order_corners(box.points) if len(box.points) == CORNERS else box.points
            points = np.clip(points, 0, (width - 1, height - 1)).astype(np.int64)
            if len(points) != CORNERS or _shorter_side_px(points) >= LEAST_SIDE_PX:
                boxes.append(Box(points, box.score))
        return boxes


def _shorter_side_px(quad: np.ndarray) -> int:
    return min(int(np.linalg.norm(quad[0] - quad[1])), int(np.linalg.norm(quad[0] - quad[3])))
