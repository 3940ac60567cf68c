"""Detectors inside installed wheels, "wheel:NAME": their ONNX files, and what happens before and after them."""

from __future__ import annotations

from pathlib import Path

from scenetext.data.detection.resize import DetectionSize
from scenetext.errors import InputError
from scenetext.predict.boxes import BoxRule
from scenetext.predict.detection_settings import DetectionSettings
from scenetext.weights.onnx import WHEEL_MODELS, wheel_model

WHEEL = "wheel:"  # before the name
WHEEL_DETECTORS = {name.partition(":")[2]: name for name in WHEEL_MODELS if "_det" in name}
WHEEL_SETTINGS = DetectionSettings(DetectionSize(), BoxRule(box_thresh=0.6, unclip_ratio=1.5))
"""Those of PaddleOCR's configurations."""


def is_in_wheel(source: str | Path) -> bool:
    """Whether a detector is named as one inside a wheel."""
    return str(source).startswith(WHEEL)


def wheel_detector(source: str) -> Path:
    """The ONNX file of a detector in an installed wheel, such as "wheel:PP-OCRv6_det_small".

    Raises:
        InputError: the name is unknown, or the wheel is not installed.
    """
    name = source.removeprefix(WHEEL)
    if name not in WHEEL_DETECTORS:
        raise InputError(f"{source} is unknown; the detectors in wheels are {', '.join(WHEEL_DETECTORS)}.")
    return wheel_model(WHEEL_DETECTORS[name])
