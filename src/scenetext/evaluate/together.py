"""Labelled pictures that several processes read or search together, before the first of them scores the results."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from scenetext.data.sources.images import ImageSource
from scenetext.predict.boxes import Box
from scenetext.predict.images import Prediction, Reader, pictures_hash, read_records
from scenetext.predict.prediction_file import WORKERS
from scenetext.predict.text_detector import find_on
from scenetext.system.file_names import shown_path
from scenetext.system.launched import Process
from scenetext.system.shared_job import SharedJob
from scenetext.text.photo_labels import PhotoLabel
from scenetext.text.records import Record

PHOTOS_PER_PIECE = 32

Detect = Callable[[np.ndarray], list[Box]]

Found = tuple[list[Box], str | None]
"""The boxes on a photo, and why it could not be read."""


def evaluation_job(
    out: str | Path,
    process: Process,
    labels: Sequence[Record] | Sequence[PhotoLabel],
    source: ImageSource,
    items_per_piece: int,
    **origin: Any,
) -> SharedJob:
    """The job of an evaluation that several processes share.

    Args:
        out: the evaluation's folder.
        process: this one.
        labels: of the pictures.
        source: the pictures.
        items_per_piece: labels.
        origin: what the results depend on beside these, as JSON.
    """
    names = [label.name for label in labels]
    pictures = {"images": shown_path(source.path), "pictures": pictures_hash(source, names)}
    return SharedJob(Path(out), {**pictures, **origin}, process, labels, items_per_piece, adopted=[WORKERS])


def read_together(
    job: SharedJob, reader: Reader, records: Sequence[Record], source: ImageSource
) -> list[Prediction] | None:
    """What `read_records` gives; None in all processes but the first."""

    def rows(piece: Sequence[Record]) -> Iterator[str]:
        for read in read_records(reader, piece, source, progress=False):
            yield json.dumps([read.text, read.confidence, read.problem, read.height_px, read.width_px])

    made = _made(job, rows, len(records), "line")
    return None if made is None else [Prediction(r.name, *row) for r, row in zip(records, made, strict=True)]


def find_together(
    job: SharedJob, detect: Detect, labels: Sequence[PhotoLabel], source: ImageSource
) -> list[Found] | None:
    """The boxes on each photo; None in all processes but the first."""

    def rows(piece: Sequence[PhotoLabel]) -> Iterator[str]:
        for boxes, problem in find_all(detect, piece, source):
            yield json.dumps([[(box.points.tolist(), box.score) for box in boxes], problem])

    made = _made(job, rows, len(labels), "photo")
    if made is None:
        return None
    return [([Box(np.array(points), score) for points, score in boxes], problem) for boxes, problem in made]


def find_all(detect: Detect, labels: Sequence[PhotoLabel], source: ImageSource) -> Iterator[Found]:
    """The boxes on each photo of some labels."""
    for label in labels:
        yield find_on(detect, source, label.name, f"{source.location(label.name)} ({label.location})")


def _made(
    job: SharedJob, rows: Callable[[Sequence[Any]], Iterator[str]], count: int, unit: str
) -> Iterator[Any] | None:
    """The values of all JSON rows that the processes make of their pieces; None in all processes but the first."""
    with tqdm(total=count, unit=unit, desc="evaluate", disable=not job.process.is_first) as bar:
        job.make(rows, bar.update)
    return map(json.loads, job.lines()) if job.process.is_first else None
