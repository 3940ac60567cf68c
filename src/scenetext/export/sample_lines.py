"""The lines that an export uses: drawn and labelled ones for its check, the training set's for bit allocation."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from scenetext.config import Config
from scenetext.data.pipeline import training_records
from scenetext.data.sources.images import ImageSource, open_images
from scenetext.data.transforms import decode_image
from scenetext.errors import InputError
from scenetext.predict.line_reader import LineReader, like_batches
from scenetext.synth import draw_part
from scenetext.text.photo_labels import PhotoLabel
from scenetext.text.records import Record

REAL_LINES_CHECKED = 16
DRAWN_WIDTHS_PX = (24, 90, 166, 331, 331, 427, 669, 1200)
LINES_TAKEN = 256  # of the training set, at a time
BATCH_LINES = 16


def drawn_lines(height_px: int) -> list[np.ndarray]:
    """Lines of letters and digits for the check: they need no file, and are the same on every machine."""
    lines = []
    for number, width_px in enumerate(DRAWN_WIDTHS_PX):
        shade = np.linspace(40 + 20 * number, 200, width_px)[None, :, None]
        line = np.broadcast_to(shade, (height_px, width_px, 3)).astype(np.uint8).copy()
        text = f"{number}scene text 0123456789 {width_px} ABCDEFGH"
        cv2.putText(line, text, (4, height_px * 3 // 4), cv2.FONT_HERSHEY_SIMPLEX, height_px / 40, (0, 60, 255), 2)
        lines.append(line)
    return lines


def labelled_lines(images: str | Path | None, records: list[Record]) -> list[np.ndarray]:
    """The first few of the labelled lines, for the check."""
    return list(readable_pictures(open_images(images), records[:REAL_LINES_CHECKED])) if records else []


def calibration_batches(config: Config, reader: LineReader) -> tuple[list[np.ndarray], str]:
    """Lines as the network sees them, to measure on.

    Args:
        config: names the training set; if its files are missing, lines are drawn instead.
        reader: lays lines on canvases.

    Returns:
        Batches (B, 3, H, W) float32, narrow lines first, and where the lines come from.
    """
    try:
        records, images = training_records(config)
    except InputError as problem:
        pictures = [image for _, image in draw_part("train", LINES_TAKEN, seed=0)]
        return _batches(pictures, reader), f"drawn lines, because the training set is missing ({problem})"
    chosen = np.random.default_rng(0).permutation(len(records))[:LINES_TAKEN]
    pictures = list(readable_pictures(images, [records[i] for i in chosen]))
    return _batches(pictures, reader), f"{len(pictures)} lines of the training set"


def endless_batches(config: Config, reader: LineReader) -> Iterator[np.ndarray]:
    """Endless batches (B, 3, H, W) float32 of the training set, not augmented, drawn anew; see calibration_batches."""
    try:
        records, images = training_records(config)
    except InputError:
        records = None
    for number in itertools.count(1):
        rng = np.random.default_rng(number)
        if records is None:
            pictures = [image for _, image in draw_part("train", LINES_TAKEN, seed=number)]
        else:
            chosen = rng.permutation(len(records))[:LINES_TAKEN]
            pictures = list(readable_pictures(images, [records[i] for i in chosen]))
        batches = _batches(pictures, reader)
        yield from (batches[i] for i in rng.permutation(len(batches)))


def _batches(pictures: list[np.ndarray], reader: LineReader) -> list[np.ndarray]:
    return list(like_batches(map(reader.fit, pictures), BATCH_LINES))


def readable_pictures(images: ImageSource, records: Iterable[Record | PhotoLabel]) -> Iterator[np.ndarray]:
    """The pictures of records that can be read, (H, W, 3) uint8."""
    for record in records:
        try:
            yield decode_image(images.read(record.name), images.location(record.name))
        except InputError:  # the network in memory and the exported folder both give an empty text for it
            continue
