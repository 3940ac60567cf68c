"""Scores a detector against the labels of photos: precision, recall and their harmonic mean, by PaddleOCR's protocol.

A photo that cannot be read counts as one on which nothing was found, and is named.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from scenetext.data.sources.images import ImageSource, open_images
from scenetext.errors import InputError
from scenetext.evaluate.box_metrics import BoxCounts, count_boxes
from scenetext.evaluate.evaluation_folder import SCORES, check_folder_name, write_with_scores
from scenetext.evaluate.thresholds import rows_of, table, threshold_scores
from scenetext.evaluate.together import (
    PHOTOS_PER_PIECE,
    Detect,
    Found,
    evaluation_job,
    find_all,
    find_together,
)
from scenetext.predict.boxes import Box
from scenetext.predict.images import warn_of_passed_over
from scenetext.predict.model_files import file_facts
from scenetext.predict.text_detector import open_detector
from scenetext.predict.trained_model import load_detector, parameters_hash
from scenetext.system.file_names import shown_path
from scenetext.system.launched import ALONE, Process
from scenetext.system.shared_job import SharedJob
from scenetext.text.photo_labels import PhotoLabel, read_photo_labels

if TYPE_CHECKING:
    from scenetext.config import Config

BOXES = "boxes.txt"


@dataclass(frozen=True, slots=True)
class PhotoScore:
    """What was found on one photo.

    Attributes:
        name: of the photo.
        boxes: those found.
        counts: against its label.
        problem: why it could not be read, None if it could.
    """

    name: str
    boxes: list[Box]
    counts: BoxCounts
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class DetectionEvaluation:
    """What was found on some photos, and its scores.

    Attributes:
        photos: one entry for each label, in their order.
    """

    photos: list[PhotoScore]

    @property
    def counts(self) -> BoxCounts:
        """The counts of all photos together."""
        return BoxCounts.total(photo.counts for photo in self.photos)

    @property
    def unreadable(self) -> dict[str, str]:
        """Why photos could not be read, by name."""
        return {photo.name: photo.problem for photo in self.photos if photo.problem is not None}

    def __str__(self) -> str:
        counts = self.counts
        text = (
            f"precision {counts.precision:.4f}, recall {counts.recall:.4f}, hmean {counts.hmean:.4f}: {counts.matched} "
            f"of {counts.truths} texts on {len(self.photos)} photos, {counts.found} boxes"
        )
        return f"{text}; {len(self.unreadable)} photos could not be read" if self.unreadable else text

    def as_dict(self) -> dict[str, Any]:
        """Scores of all photos together and of each, for JSON."""
        return {
            **self.counts.as_dict(),
            "photos": {photo.name: photo.counts.as_dict() for photo in self.photos},
            "unreadable": self.unreadable,
        }


def evaluate_detector(
    detect: Detect,
    labels: Sequence[PhotoLabel],
    images: ImageSource | str | Path,
    out: str | Path | None = None,
    *,
    progress: bool = True,
) -> DetectionEvaluation:
    """Searches photos for text and scores what was found.

    Args:
        detect: a `TextDetector`, or any function that finds boxes on a photo, (H, W, 3) uint8, blue first.
        labels: of the photos.
        images: a folder, zip or LMDB with the photos, opened or as a path.
        out: the folder for `scores.json` and `boxes.txt` (PaddleOCR's label form, with scores); None writes nothing.
        progress: show a progress bar.

    Raises:
        InputError: there are no labels, not one of their photos can be read, or the network is no detector.
    """
    source = open_images(images) if isinstance(images, (str, Path)) else images
    shown = tqdm(labels, desc="photos", unit="photo", disable=not progress)
    return _scored(labels, find_all(detect, shown, source), out)


def _scored(
    labels: Sequence[PhotoLabel], found: Iterable[Found], out: str | Path | None, **beside: Any
) -> DetectionEvaluation:
    """Scores what was found, and writes it, with what stands `beside` the scores; see `evaluate_detector`."""
    photos = []
    for label, (boxes, problem) in zip(labels, found, strict=True):
        counts = count_boxes(label.outlines, label.ignored, [box.points for box in boxes])
        photos.append(PhotoScore(label.name, boxes, counts, problem))
    evaluation = DetectionEvaluation(photos)
    if len(evaluation.unreadable) == len(photos):
        first = next(iter(evaluation.unreadable.values()), "there are no labels")
        raise InputError(f"Not one of {len(photos)} photos can be read; the first: {first}")
    if out is not None:
        write_with_scores(out, BOXES, "".join(map(_line, photos)).encode(), {**evaluation.as_dict(), **beside})
    return evaluation


def _line(photo: PhotoScore) -> str:
    boxes = [{"transcription": "", "points": box.points.tolist(), "score": box.score} for box in photo.boxes]
    return f"{photo.name}\t{json.dumps(boxes)}\n"


def evaluate_detector_command(
    *,
    config: Config | None,
    weights: str | None,
    model: str | None,
    labels: str,
    images: str,
    out: str,
    thresholds: bool = False,
    process: Process = ALONE,
) -> DetectionEvaluation | None:
    """`scenetext evaluate` for a detector: trained weights with their config, or an exported folder.

    `thresholds` adds the scores at other thresholds. `process` is this one of several that search the photos together;
    those that are not the first one return None.
    """
    check_folder_name(out)
    photos = read_photo_labels(labels)
    if not len(photos):
        raise InputError(f"{shown_path(labels)} holds no label: give lines of a photo, a tab and its boxes as JSON.")
    source = open_images(images)
    source.names()  # counts what is passed over
    warn_of_passed_over(source)
    if model is not None:
        detect = open_detector(model, threads=process.threads)
        origin = {"model": {name: facts["sha256"] for name, facts in file_facts(model).items()}}
    else:
        detect = load_detector(config, weights)
        origin = {"model": parameters_hash(detect.engine.model), "settings": str(detect.settings)}
    if SharedJob.is_for(process, out):
        if thresholds:
            raise InputError(
                "--thresholds searches the photos in one process: leave out the launcher, or give another --out if "
                f"{shown_path(out)}.parts is left of several processes."
            )
        origin["engine"] = type(detect.engine).__name__
        with evaluation_job(out, process, photos, source, PHOTOS_PER_PIECE, **origin) as job:
            found = find_together(job, detect, photos, source)
            evaluation = None if found is None else _scored(photos, found, out)
    elif thresholds:
        found, scores = threshold_scores(detect, photos, source)
        evaluation = _scored(photos, found, out, thresholds=rows_of(scores))
        print(table(scores))
    else:
        evaluation = evaluate_detector(detect, photos, source, out)
    if evaluation is not None:
        _tell(evaluation, out)
    return evaluation


def _tell(evaluation: DetectionEvaluation, out: str | Path) -> None:
    for reason in evaluation.unreadable.values():
        print(f"counted as empty: {reason}", file=sys.stderr)
    print(f"{evaluation}\n{Path(out)}: {SCORES} and {BOXES}")
