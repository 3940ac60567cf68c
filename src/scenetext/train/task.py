"""What a training works on: lines of text for a recogniser, photos for a detector. The loop is the same for both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from paddle import Tensor

from scenetext.data.batches import BatchPlan, Sampler
from scenetext.data.sources.images import ImageSource
from scenetext.predict.images import Prediction
from scenetext.text.charset import Charset


class EvaluationResult(NamedTuple):
    """The scores of a network on the Eval section.

    Attributes:
        scores: by name, each in [0, 1]; the log keeps them.
        indicator: the one that chooses the best weights, in [0, 1].
        text: what the log says.
        count: of the lines or photos.
        predictions: what a recogniser read; None of a detector.
    """

    scores: dict[str, float]
    indicator: float
    text: str
    count: int
    predictions: Sequence[Prediction] | None = None


class Labels(Protocol):
    """The labels of a part of the data: a `RecordTable` or a `PhotoTable`. Each has a name, a text and a location."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any: ...

    def digest(self) -> bytes:
        """SHA-256 of all names and labels."""


class Samples(Protocol):
    """A training set: `Lines` or `Photos`.

    Attributes:
        records: the labels.
        images: where their pictures are.
        charset: the classes of a recogniser; None of a detector.
    """

    records: Labels
    images: ImageSource
    charset: Charset | None

    def __len__(self) -> int: ...

    def picture(self, index: int, epoch: int = 0) -> np.ndarray:
        """(H, W, 3) uint8, blue first: one sample as the network gets it."""

    def pixels(self, image: np.ndarray) -> np.ndarray:
        """(3, H, W) float32 of a batch → (H, W, 3) uint8."""


class Task(Protocol):
    """The data of a training, and what is done with its batches.

    Attributes:
        unit: what a sample is called: "line" or "photo".
        samples: the training set.
        sampler: how it is batched.
        evaluation: the labels of the Eval section.
        evaluation_images: their pictures.
        notes: sentences for the user.
        sums_over_samples: whether the loss is a sum over the samples of a batch; otherwise it is their mean.
    """

    unit: str
    samples: Samples
    sampler: Sampler
    evaluation: Labels
    evaluation_images: ImageSource
    notes: list[str]
    sums_over_samples: bool

    def load_ahead(self, plans: Sequence[BatchPlan], epoch: int, workers: int) -> Iterator[Any]:
        """Yields the batches of some plans, made by threads ahead of their use."""

    def to_tensors(self, batch: Any) -> tuple[tuple[Any, ...], Any]:
        """What the network is called with, and what the loss compares its outputs with, on the device."""

    def losses(self, outputs: Any, targets: Any) -> dict[str, Tensor]:
        """The loss, () float32, as "loss", and its parts by the names in the log."""

    def evaluate(self) -> EvaluationResult:
        """Scores the network on the Eval section."""
