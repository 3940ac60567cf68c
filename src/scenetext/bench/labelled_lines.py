"""The lines that a bench reads, with their labels where there are some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenetext.data.sources.images import ImageSource, open_images
from scenetext.data.sources.lmdbs import Lmdbs
from scenetext.data.transforms import decode_image
from scenetext.errors import InputError
from scenetext.evaluate.scoring import read_labels
from scenetext.predict.images import Reader, image_names, read_records
from scenetext.text.records import Record, RecordTable


@dataclass(frozen=True, slots=True)
class LabelledLines:
    """Pictures of lines.

    Attributes:
        source: the pictures.
        records: their labels; None without any.
    """

    source: ImageSource
    records: Sequence[Record] | None

    def pictures(self, limit: int | None = None) -> list[np.ndarray]:
        """The first pictures, or all, decoded: (H, W, 3) uint8 each, blue first; with labels only labelled ones.

        Raises:
            InputError: there are none, or one cannot be read.
        """
        if limit is not None and limit < 1:
            raise InputError(f"--limit {limit}: give at least 1.")
        names = image_names(self.source) if self.records is None else [record.name for record in self.records]
        names = names[:limit]
        return [decode_image(self.source.read(name), self.source.location(name)) for name in names]

    def read(self, reader: Reader, progress: bool = True) -> list[str]:
        """What a reader reads on the labelled lines, in their order; pictures that cannot be read give nothing."""
        return [prediction.text for prediction in read_records(reader, self.records, self.source, progress)]

    @property
    def targets(self) -> list[str]:
        """The labels, in their order."""
        return [record.text for record in self.records]


def open_lines(images: str | Path, labels: str | Path | None = None) -> LabelledLines:
    """Opens lines.

    Args:
        images: a folder, zip, LMDB or picture.
        labels: a label file of these pictures, or of some of them; an LMDB brings its own.

    Raises:
        InputError: there are no pictures, or the label file holds no label.
    """
    source = open_images(images)
    records: Sequence[Record] | None
    if labels is not None:
        records = read_labels(labels).records
    else:
        records = RecordTable.joined([part.table() for part in source.parts]) if isinstance(source, Lmdbs) else None
    return LabelledLines(source, records)
