"""What a detector does before and after its network: the size of photos, their pixels, and boxes out of maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from scenetext.data.detection.resize import IMAGENET_MEAN, IMAGENET_STD, DetectionSize, standardised_photo
from scenetext.predict.boxes import BoxRule

if TYPE_CHECKING:
    from scenetext.config import Config


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
        return cls(size, rule, *((tuple(normalise.mean), tuple(normalise.std)) if normalise else ()))

    def prepared(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8, blue first → (3, h, w) float32 as the network takes it."""
        return standardised_photo(self.size.resize(image), self.mean, self.std)
