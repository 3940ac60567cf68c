"""Opening a detector for whole photos, and the boxes in it that can be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from scenetext.data.detection.polygons import order_corners
from scenetext.data.detection.resize import LONGEST_SIDE_PX, STRIDE, DetectionSize
from scenetext.errors import InputError
from scenetext.predict.boxes import Box, BoxRule
from scenetext.predict.choices import AUTO
from scenetext.predict.detection_settings import DetectionSettings
from scenetext.predict.detector_folder import read_detector_yml
from scenetext.predict.engines import OnnxRuntime, open_engine
from scenetext.predict.model_files import check_files, file_facts, unchanged
from scenetext.predict.text_detector import TextDetector
from scenetext.system.files import sha256_file
from scenetext.system.process import usable_cores
from scenetext.weights.onnx import WHEEL_MODELS, wheel_model

WHEEL = "wheel:"  # before the name of a detector inside an installed wheel
WHEEL_DETECTORS = {name.partition(":")[2]: name for name in WHEEL_MODELS if "_det" in name}
WHEEL_SETTINGS = DetectionSettings(DetectionSize(), BoxRule(box_thresh=0.6, unclip_ratio=1.5))
"""Those of PaddleOCR's configurations."""

LEAST_SIDE_PX = 4  # of a box; smaller ones are no text (predict_det.py)
CORNERS = 4


class PhotoDetector:
    """Finds the texts of photos: `PhotoDetector(source)(photo)` → boxes.

    Args:
        source: an exported detector's folder, or "wheel:NAME", a detector in an installed wheel.
        engine: see Recognizer; those of wheels are for ONNX Runtime.
        threads: CPU threads, which compute one photo together; by default all cores that the process may use.
        max_side_px: a photo is searched at no larger size, which bounds memory and time.

    Attributes:
        files: the SHA-256 and the size in bytes of its files, by name, as they were read.

    Raises:
        InputError: the folder is not complete, holds a recogniser, or the wheel's detector is unknown or not installed.
        RunError: the folder was changed while it was being opened.
    """

    def __init__(
        self,
        source: str | Path,
        engine: str = AUTO,
        threads: int | None = None,
        max_side_px: int = LONGEST_SIDE_PX,
    ):
        if max_side_px < STRIDE:
            raise InputError(f"A longest side of {max_side_px} pixels is too short: give {STRIDE} at least.")
        threads = threads or usable_cores()
        if str(source).startswith(WHEEL):
            path = wheel_detector(str(source))
            if engine not in (AUTO, "onnxruntime"):
                raise InputError(f"{source} is an ONNX file, which the engine {engine} cannot read: use onnxruntime.")
            self.files: Mapping[str, Mapping[str, Any]] = {
                path.name: {"sha256": sha256_file(path), "size_bytes": path.stat().st_size}
            }
            self._detector = TextDetector(OnnxRuntime(path, threads, workers=1), _bounded(WHEEL_SETTINGS, max_side_px))
            return
        with unchanged(source):
            settings = read_detector_yml(source)
            self.files = file_facts(source)
            check_files(source, self.files, settings.checksums)
            computes = open_engine(engine, source, threads, workers=1)
            self._detector = TextDetector(computes, _bounded(settings.detection, max_side_px))

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


def _bounded(settings: DetectionSettings, max_side_px: int) -> DetectionSettings:
    return replace(settings, size=replace(settings.size, longest_px=max_side_px))


def _shorter_side_px(quad: np.ndarray) -> int:
    return min(int(np.linalg.norm(quad[0] - quad[1])), int(np.linalg.norm(quad[0] - quad[3])))


def wheel_detector(source: str) -> Path:
    """The ONNX file of a detector in an installed wheel, such as "wheel:PP-OCRv6_det_small".

    Raises:
        InputError: the name is unknown, or the wheel is not installed.
    """
    name = source.removeprefix(WHEEL)
    if name not in WHEEL_DETECTORS:
        raise InputError(f"{source} is unknown; the detectors in wheels are {', '.join(WHEEL_DETECTORS)}.")
    return wheel_model(WHEEL_DETECTORS[name])
