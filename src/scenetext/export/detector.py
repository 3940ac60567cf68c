"""Exporting a detector: its settings, and the photos that it is checked on."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from scenetext.config import Config
from scenetext.data.detection.photos import photo_records
from scenetext.data.detection.resize import standardised_photo
from scenetext.data.sources.images import ImageSource, open_images
from scenetext.errors import InputError
from scenetext.evaluate.box_metrics import BoxCounts, count_boxes
from scenetext.export.model_card import write_card
from scenetext.export.network import refuse_untrained
from scenetext.export.options import ExportOptions
from scenetext.export.report import ExportReport
from scenetext.export.sample_lines import readable_pictures
from scenetext.export.verify import Sample, SamplingEngine
from scenetext.predict.detector_folder import DetectorSettings
from scenetext.predict.text_detector import EagerMaps, TextDetector, find_on
from scenetext.predict.trained_model import load_detection_model
from scenetext.synth import draw_part
from scenetext.text.photo_labels import PhotoLabel, read_photo_labels

REAL_PHOTOS_CHECKED = 4
TOLERANCE = 5e-3
"""How much a probability may differ between the network and its exported files.

A trained detector's differ by 5e-5. After the first steps of a training, however, before batch statistics have settled,
activations are some hundred times larger, and so is what engines round differently: 1.7e-3 was seen after 4 steps.
"""
CROP_PX = 320  # side of what is measured on: whole photos would take several times as long
CROPS_TAKEN, CROPS_IN_BATCH = 12, 4
DRAWN_SIZES_PX = ((96, 160), (320, 224))  # height and width of the photos that are drawn for the check
DRAWN_LINES = 8


class DetectorExport:
    """See `network.ExportedNetwork`.

    Args:
        config: the configuration that the network was trained with.
        weights: see `weights.load_weights`.
        options: of the export.

    Raises:
        InputError: the weights lack parameters of the network.
    """

    unit = "photo"
    tolerance = TOLERANCE
    input_px = (None, None)

    def __init__(self, config: Config, weights: str | Path, options: ExportOptions):
        self.config, self.weights, self.options = config, weights, options
        self.labels = [] if options.labels is None else list(read_photo_labels(options.labels))
        self.names = [label.name for label in self.labels]
        self.model, report = load_detection_model(config, weights, strict=False)
        refuse_untrained(report.missing, weights)
        self.settings = DetectorSettings.of(config)
        self._is_told = False  # which photos cannot be read

    def keep(self, characters: Iterable[str]) -> None:
        """Raises InputError: a detector has no characters."""
        raise InputError("--characters chooses the classes of a recogniser; a detector has none: leave it out.")

    def write_settings(self, folder: Path, checksums: Mapping[str, str] | None = None) -> None:
        """See `ExportedNetwork`."""
        settings = self.settings
        DetectorSettings(settings.model_name, settings.detection, checksums or {}).write(folder)

    def samples(self) -> list[Sample]:
        """See `ExportedNetwork`."""
        sampling = SamplingEngine(EagerMaps(self.model))
        for height, width in DRAWN_SIZES_PX:
            sampling.run(self._standardised(drawn_photo(height, width, seed=height))[None])
        checked = self.labels[:REAL_PHOTOS_CHECKED]
        crops = self._crops(checked, open_images(self.options.images), np.random.default_rng(0)) if checked else []
        for crop in crops:
            sampling.run(crop[None])
        return sampling.samples

    def calibration_batches(self) -> tuple[list[np.ndarray], str]:
        """See `ExportedNetwork`."""
        try:
            records, images = photo_records(self.config, "Train")
        except InputError as problem:
            photos = [drawn_photo(CROP_PX, CROP_PX, seed) for seed in range(CROPS_TAKEN)]
            source = f"drawn photos, because the training set is missing ({problem})"
            return self._batches([self._standardised(photo) for photo in photos]), source
        crops = self._drawn_crops(records, images, seed=0)
        return self._batches(crops), f"{len(crops)} parts of photos of the training set"

    def endless_batches(self) -> Iterator[np.ndarray]:
        """See `ExportedNetwork`."""
        try:
            records, images = photo_records(self.config, "Train")
        except InputError:
            records = images = None
        for number in itertools.count(1):
            if records is None:
                photos = [drawn_photo(CROP_PX, CROP_PX, CROPS_TAKEN * number + n) for n in range(CROPS_IN_BATCH)]
                crops = [self._standardised(photo) for photo in photos]
            else:
                crops = self._drawn_crops(records, images, seed=number)
            yield from self._batches(crops)

    def read(self, title: str | None = None) -> list[list[np.ndarray]]:
        """See `ExportedNetwork`."""
        if not self.labels:
            return []
        detect, images = TextDetector(EagerMaps(self.model), self.settings.detection), open_images(self.options.images)
        shown = tqdm(self.labels, title or "photos", unit="photo", disable=not self.options.progress, leave=not title)
        found = [find_on(detect, images, label.name) for label in shown]
        if not self._is_told:
            self._is_told = True
            for problem in filter(None, (problem for _, problem in found)):
                print(f"counted as empty: {problem}", file=sys.stderr)
        return [[box.points for box in boxes] for boxes, _ in found]

    def scores(self, found: Sequence[list[np.ndarray]]) -> dict[str, Any]:
        """See `ExportedNetwork`."""
        pairs = zip(self.labels, found, strict=True)
        counts = BoxCounts.total(count_boxes(label.outlines, label.ignored, boxes) for label, boxes in pairs)
        return {"photos": len(self.labels), **counts.as_dict()}

    def details(self, found: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        """See `ExportedNetwork`."""
        return {}

    def write_card(self, folder: Path, report: ExportReport) -> None:
        """See `ExportedNetwork`."""
        own = {"detection": self.settings.detection}
        write_card(folder, "detector_card.md.jinja", report, self.config, self.weights, **own)

    def _standardised(self, image: np.ndarray) -> np.ndarray:
        return standardised_photo(image, self.settings.detection.mean, self.settings.detection.std)

    def _drawn_crops(self, records: Sequence[PhotoLabel], images: ImageSource, seed: int) -> list[np.ndarray]:
        """Parts of photos that are drawn at random."""
        rng = np.random.default_rng(seed)
        chosen = rng.integers(0, len(records), CROPS_TAKEN)
        return self._crops([records[int(index)] for index in chosen], images, rng)

    def _crops(self, labels: Sequence[PhotoLabel], images: ImageSource, rng: np.random.Generator) -> list[np.ndarray]:
        """Parts of photos at the size at which they are searched, each with a text in it where the photo has one."""
        return [self._crop(image, own, rng) for own in labels for image in readable_pictures(images, [own])]

    def _crop(self, image: np.ndarray, label: PhotoLabel, rng: np.random.Generator) -> np.ndarray:
        resized = self.settings.detection.size.resize(image)
        size = np.array(resized.shape[1::-1])
        outlines = label.outlines
        middle = outlines[rng.integers(len(outlines))].mean(0) * size / image.shape[1::-1] if outlines else size / 2
        left, top = np.clip(middle - CROP_PX / 2, 0, np.maximum(0, size - CROP_PX)).astype(int)
        part = resized[top : top + CROP_PX, left : left + CROP_PX]
        canvas = np.zeros((CROP_PX, CROP_PX, 3), np.uint8)
        canvas[: part.shape[0], : part.shape[1]] = part
        return self._standardised(canvas)

    def _batches(self, crops: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [np.stack(crops[i : i + CROPS_IN_BATCH]) for i in range(0, len(crops), CROPS_IN_BATCH)]


def drawn_photo(height_px: int, width_px: int, seed: int) -> np.ndarray:
    """(height_px, width_px, 3) uint8: lines of the sample competition, one below the other on a shaded ground."""
    rng = np.random.default_rng(seed)
    shade = np.linspace(*rng.uniform(30, 220, 2), width_px)[None, :, None] * rng.uniform(0.6, 1.1, 3)
    photo = np.broadcast_to(shade, (height_px, width_px, 3)).clip(0, 255).astype(np.uint8).copy()
    top = 8
    for _, line in draw_part("train", DRAWN_LINES, seed=seed):
        height, width = min(line.shape[0], height_px - top), min(line.shape[1], width_px)
        if height < line.shape[0] // 2:
            break
        left = int(rng.integers(0, width_px - width + 1))
        photo[top : top + height, left : left + width] = line[:height, :width]
        top += line.shape[0] + int(rng.integers(8, 24))
    return photo
