"""Finding text on photos with a network: a map for each photo, and boxes out of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scenetext.data.detection.decoding import decode_photo
from scenetext.data.detection.resize import LONGEST_SIDE_PX, STRIDE
from scenetext.data.sources.images import ImageSource
from scenetext.errors import InputError
from scenetext.predict.boxes import Box
from scenetext.predict.choices import AUTO
from scenetext.predict.detection_settings import DetectionSettings
from scenetext.predict.detector_folder import read_detector_yml
from scenetext.predict.engines import OnnxRuntime, open_engine
from scenetext.predict.line_reader import Engine
from scenetext.predict.model_files import check_files, file_facts, unchanged
from scenetext.predict.wheel_detectors import WHEEL_SETTINGS, is_in_wheel, wheel_detector
from scenetext.system.files import sha256_file
from scenetext.system.process import usable_cores

if TYPE_CHECKING:
    from scenetext.models.detection_model import DetectionModel


class EagerMaps:
    """Computes maps with the network in memory; an engine as those of `engines`.

    Args:
        model: the network; it is put into evaluation mode while it computes and back afterwards.
    """

    workers = 1

    def __init__(self, model: DetectionModel):
        self.model = model

    def run(self, batch: np.ndarray) -> np.ndarray:
        """(B, 3, H, W) float32 → (B, 1, H, W) probabilities of text."""
        import paddle

        was_training = self.model.training
        self.model.eval()
        try:
            with paddle.no_grad():
                return self.model(paddle.to_tensor(batch)).numpy()
        finally:
            if was_training:
                self.model.train()


class TextDetector:
    """Finds text on a photo: (H, W, 3) uint8, blue first → its boxes.

    Args:
        engine: computes (B, 1, H, W) probabilities of text from (B, 3, H, W) float32.
        settings: what happens before and after.
        files: the SHA-256 and the size in bytes of the files that it was opened from, by name.
    """

    def __init__(
        self, engine: Engine, settings: DetectionSettings, files: Mapping[str, Mapping[str, Any]] | None = None
    ):
        self.engine = engine
        self.settings = settings
        self.files = files or {}

    def __call__(self, image: np.ndarray) -> list[Box]:
        return self.settings.rule.boxes(self.map(image), image.shape[:2])

    def map(self, image: np.ndarray) -> np.ndarray:
        """The shrink map of a photo, (h, w) float32 in [0, 1] at the size at which it is searched.

        Raises:
            InputError: the network gives something else.
        """
        batch = self.settings.prepared(image)[None]
        maps = self.engine.run(batch)
        if maps.shape != (1, 1, *batch.shape[2:]):
            raise InputError(
                f"The network gives {maps.shape} for a photo of {batch.shape}, and a detector gives a map of the same "
                "height and width: the program is another network's."
            )
        return maps[0, 0]


def open_detector(
    source: str | Path, engine: str = AUTO, threads: int | None = None, max_side_px: int = LONGEST_SIDE_PX
) -> TextDetector:
    """Opens a detector.

    Args:
        source: an exported detector's folder, or "wheel:NAME", a detector in an installed wheel.
        engine: see Recognizer; those of wheels are for ONNX Runtime.
        threads: CPU threads, which compute one photo together; by default all cores that the process may use.
        max_side_px: a photo is searched at no larger size, which bounds memory and time.

    Raises:
        InputError: the folder is not complete, is damaged or holds a recogniser, or the wheel's detector is unknown or
            not installed.
        RunError: the folder was changed while it was being opened.
    """
    if max_side_px < STRIDE:
        raise InputError(f"A longest side of {max_side_px} pixels is too short: give {STRIDE} at least.")
    threads = threads or usable_cores()
    if is_in_wheel(source):
        path = wheel_detector(str(source))
        if engine not in (AUTO, "onnxruntime"):
            raise InputError(f"{source} is an ONNX file, which the engine {engine} cannot read: use onnxruntime.")
        files = {path.name: {"sha256": sha256_file(path), "size_bytes": path.stat().st_size}}
        return TextDetector(OnnxRuntime(path, threads, workers=1), _bounded(WHEEL_SETTINGS, max_side_px), files)
    with unchanged(source):
        settings = read_detector_yml(source)
        files = file_facts(source)
        check_files(source, files, settings.checksums)
        computes = open_engine(engine, source, threads, workers=1)
        return TextDetector(computes, _bounded(settings.detection, max_side_px), files)


def _bounded(settings: DetectionSettings, max_side_px: int) -> DetectionSettings:
    return replace(settings, size=replace(settings.size, longest_px=max_side_px))


def find_on(
    detect: Callable[[np.ndarray], list[Box]], images: ImageSource, name: str, location: str | None = None
) -> tuple[list[Box], str | None]:
    """Searches one photo of a source.

    Args:
        detect: finds boxes on a photo, (H, W, 3) uint8, blue first.
        images: the photos.
        name: of the photo.
        location: what messages call it; by default where it is.

    Returns:
        The boxes in pixels of the photo, and why it could not be read: then there are none. None if it could.

    Raises:
        InputError: `detect` fails.
    """
    try:
        photo = decode_photo(images.read(name), location or images.location(name))
    except InputError as error:
        return [], str(error)
    return [Box(photo.size.in_photo(box.points), box.score) for box in detect(photo.image)], None
