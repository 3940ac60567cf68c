"""Exporting a recogniser: its settings, the lines that it is checked on, and what its report says of characters."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from scenetext.config import Config
from scenetext.evaluate.metrics import score
from scenetext.export.model_card import write_card
from scenetext.export.network import refuse_untrained
from scenetext.export.options import ExportOptions
from scenetext.export.report import ExportReport, LineDifference
from scenetext.export.sample_lines import calibration_batches, drawn_lines, endless_batches, labelled_lines
from scenetext.export.verify import TOLERANCE, Sample, take_samples
from scenetext.predict.images import predict_images
from scenetext.predict.model_folder import InferenceSettings, model_name
from scenetext.predict.model_reader import ModelReader
from scenetext.predict.trained_model import load_trained_model
from scenetext.text.label_files import read_label_table

DECODERS = {"ctc": "CTC", "attention": "attention"}  # in words


class RecogniserExport:
    """See `network.ExportedNetwork`.

    Args:
        config: the configuration that the network was trained with.
        weights: see `weights.load_weights`.
        options: of the export.

    Raises:
        InputError: the weights lack parameters of the network.
    """

    unit = "line"
    tolerance = TOLERANCE

    def __init__(self, config: Config, weights: str | Path, options: ExportOptions):
        self.options = options
        self.records = [] if options.labels is None else read_label_table(options.labels).records
        self.names = [record.name for record in self.records]
        trained = load_trained_model(config, weights, strict=False)
        refuse_untrained(trained.report.missing, weights)
        self.config, self.model, self.canvas = trained.config, trained.model, trained.canvas
        self.untrained = trained.report.added
        self.unknown: list[str] = []
        self.weights = weights
        self._is_told = False  # which pictures cannot be read

    @property
    def input_px(self) -> tuple[int | None, int | None]:
        """Height and width in pixels of the program's input; None where it is free."""
        if self.canvas.by_ratio:
            return None, None
        return self.canvas.height_px, self.canvas.width_px if self.canvas.fixed else None

    def keep(self, characters: Iterable[str]) -> None:
        """See `ExportedNetwork`."""
        from scenetext.export.compress import slice_head

        wanted, known = set(characters), set(self.model.charset.characters)
        slice_head(self.model, known & wanted)
        self.unknown = sorted(wanted - known)

    def write_settings(self, folder: Path, checksums: Mapping[str, str] | None = None) -> None:
        """See `ExportedNetwork`."""
        model = self.model
        settings = InferenceSettings(
            model_name(self.config), self.canvas, model.charset, model.decoding, checksums or {}
        )
        settings.write(folder)

    def samples(self) -> list[Sample]:
        """See `ExportedNetwork`."""
        lines = drawn_lines(self.canvas.height_px) + labelled_lines(self.options.images, self.records)
        return take_samples(self._reader(), lines)

    def calibration_batches(self) -> tuple[list[np.ndarray], str]:
        """See `ExportedNetwork`."""
        return calibration_batches(self.config, self._reader())

    def endless_batches(self) -> Iterator[np.ndarray]:
        """See `ExportedNetwork`."""
        return endless_batches(self.config, self._reader())

    def read(self, title: str | None = None) -> list[str]:
        """See `ExportedNetwork`."""
        if not self.names:
            return []
        own_bar = self.options.progress and title is None
        predictions = predict_images(self._reader(), self.options.images, self.names, own_bar)
        hidden = not self.options.progress or title is None
        shown = list(tqdm(predictions, title, len(self.names), unit="line", disable=hidden, leave=False))
        if not self._is_told:
            self._is_told = True
            for problem in filter(None, (prediction.problem for prediction in shown)):
                print(f"counted as empty: {problem}", file=sys.stderr)
        return [prediction.text for prediction in shown]

    def scores(self, found: Sequence[str]) -> dict[str, Any]:
        """See `ExportedNetwork`."""
        return score(found, [record.text for record in self.records]).as_dict()

    def details(self, found: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """See `ExportedNetwork`."""
        charset = self.model.charset
        pairs = zip(self.records, found.get("trained", ()), found.get("exported", ()), strict=True) if found else ()
        return {
            "classes": charset.num_classes,
            "untrained": [c for c in self.untrained if c in charset.characters],
            "unknown": self.unknown,
            "unspellable": sum(bool(charset.unknown(record.text)) for record in self.records),
            "differences": [
                LineDifference(record.name, record.text, before, after)
                for record, before, after in pairs
                if before != after
            ],
        }

    def write_card(self, folder: Path, report: ExportReport) -> None:
        """See `ExportedNetwork`."""
        own = {"canvas": self.canvas, "decoding": DECODERS[self.model.decoding]}
        write_card(folder, "recogniser_card.md.jinja", report, self.config, self.weights, **own)

    def _reader(self) -> ModelReader:
        return ModelReader(self.model, self.canvas)
