"""Finding text on photos with a network: a map for each photo, and boxes out of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scenetext.data.sources.images import ImageSource
from scenetext.data.transforms import decode_image
from scenetext.errors import InputError
from scenetext.predict.boxes import Box
from scenetext.predict.choices import AUTO
from scenetext.predict.detection_settings import DetectionSettings
from scenetext.predict.detector_folder import read_detector_yml
from scenetext.predict.engines import open_engine
from scenetext.predict.line_reader import Engine
from scenetext.predict.model_files import check_files, file_facts

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
    """

    def __init__(self, engine: Engine, settings: DetectionSettings):
        self.engine = engine
        self.settings = settings

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


def open_detector(folder: str | Path, engine: str = AUTO, threads: int | None = None) -> TextDetector:
    """Opens an exported detector.

    Args:
        folder: the exported folder.
        engine: "paddle", "onnxruntime" or "auto".
        threads: CPU threads; by default all cores that the process may use.

    Raises:
        InputError: the folder holds no detector, or a file of it is damaged.
    """
    settings = read_detector_yml(folder)
    check_files(folder, file_facts(folder), settings.checksums)
    return TextDetector(open_engine(engine, folder, threads), settings.detection)


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
        The boxes, and why the photo could not be read: then there are none. None if it could.

    Raises:
        InputError: `detect` fails.
    """
    try:
        image = decode_image(images.read(name), location or images.location(name))
    except InputError as error:
        return [], str(error)
    return detect(image), None
