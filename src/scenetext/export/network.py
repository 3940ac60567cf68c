"""What an export needs of the network that it writes: a recogniser of lines, or a detector on photos."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from scenetext.config import Config
from scenetext.errors import InputError
from scenetext.export.verify import Sample

if TYPE_CHECKING:
    from scenetext.export.report import ExportReport
    from scenetext.models.detection_model import DetectionModel
    from scenetext.models.recognition_model import RecognitionModel

    Model = RecognitionModel | DetectionModel


class ExportedNetwork(Protocol):
    """A trained network in evaluation mode, and the data to check it on: a `RecogniserExport` or a `DetectorExport`.

    Attributes:
        unit: what a picture is called: "line" or "photo".
        tolerance: how much a probability may differ between the network in memory and the exported files.
        config: the configuration of what is exported.
        model: the network.
        input_px: height and width in pixels of the program's input; None where it is free.
        names: of the labelled pictures; none without labels.
    """

    unit: str
    tolerance: float
    config: Config
    model: Model
    input_px: tuple[int | None, int | None]
    names: list[str]

    def keep(self, characters: Iterable[str]) -> None:
        """Keeps only the classes of some characters, in place; those that the network lacks are in `details`."""

    def write_settings(self, folder: Path, checksums: Mapping[str, str] | None = None) -> None:
        """Writes `inference.yml`; `checksums` are those of the other files."""

    def samples(self) -> list[Sample]:
        """Batches, and what the network in memory computes on them."""

    def calibration_batches(self) -> tuple[list[np.ndarray], str]:
        """Batches (B, 3, H, W) float32 to measure on, and where they come from."""

    def endless_batches(self) -> Iterator[np.ndarray]:
        """Endless batches (B, 3, H, W) float32 of the training set, not augmented."""

    def read(self, title: str | None = None) -> list[Any]:
        """What the network in memory finds on the labelled pictures: texts, or outlines of boxes.

        Args:
            title: of the progress bar; None for the usual one.
        """

    def scores(self, found: Sequence[Any]) -> dict[str, Any]:
        """The scores of what was found on the labelled pictures, for JSON."""

    def write_card(self, folder: Path, report: ExportReport) -> None:
        """Writes the model card, a README.md, into the exported folder; `report` is of its export."""

    def details(self, found: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        """What the report says of this kind of network alone, as fields of ExportReport.

        Args:
            found: on the labelled pictures by stage: "trained", "exported" and perhaps "sliced"; empty without labels.
        """


def refuse_untrained(missing: Sequence[str], weights: str | Path) -> None:
    """Raises InputError if weights lack parameters of the network, whose keys are `missing`."""
    if missing:
        raise InputError(
            f"{weights} lacks {len(missing)} of the network's parameters, the first {missing[0]}, so the export would "
            "hold untrained numbers: give the weights and the configuration of one training."
        )
