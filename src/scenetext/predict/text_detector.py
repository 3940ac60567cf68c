"""Finding text on photos: the size at which a photo is searched, the network, and boxes out of its map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from scenetext.data.detection.resize import IMAGENET_MEAN, IMAGENET_STD, DetectionSize, standardised_photo
from scenetext.predict.boxes import Box, BoxRule
from scenetext.predict.line_reader import Engine

if TYPE_CHECKING:
    from scenetext.config import Config
    from scenetext.models.detection_model import DetectionModel


@dataclass(frozen=True)
class DetectionSettings:
    """What a detector does before and after its network.

    Attributes:
        size: the rule for the size at which a photo is searched.
        rule: how boxes are made of a map.
        mean, std: of each channel, blue first.
    """

    size: DetectionSize = field(default_factory=DetectionSize)
    rule: BoxRule = field(default_factory=BoxRule)
    mean: Sequence[float] = IMAGENET_MEAN
    std: Sequence[float] = IMAGENET_STD

    @classmethod
    def of(cls, config: Config) -> DetectionSettings:
        """Of a detector's configuration: the transforms of Eval, and PostProcess."""
        dataset = config.Eval.dataset if config.has("Eval") else None
        resize, normalise = (dataset and dataset.operation(name) for name in ("DetResizeForTest", "NormalizeImage"))
        size = DetectionSize(**resize.model_dump()) if resize else DetectionSize()
        rule = BoxRule(**config.PostProcess.model_dump(exclude={"name"})) if config.has("PostProcess") else BoxRule()
        return cls(size, rule, *((normalise.mean, normalise.std) if normalise else ()))

    def prepared(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8, blue first → (3, h, w) float32 as the network takes it."""
        return standardised_photo(self.size.resize(image), self.mean, self.std)


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
        """The shrink map of a photo, (h, w) float32 in [0, 1] at the size at which it is searched."""
        return self.engine.run(self.settings.prepared(image)[None])[0, 0]
