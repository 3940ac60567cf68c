"""Scores what was read on whole photos against labels of text detection: the boxes, and boxes and texts together."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from scenetext.errors import InputError
from scenetext.evaluate.box_metrics import BoxCounts, count_boxes
from scenetext.evaluate.end_to_end import EndToEndScores, PlacedText, end_to_end_scores
from scenetext.evaluate.evaluation_folder import SCORES
from scenetext.predict.photo_files import TEXTS, read_photo_texts
from scenetext.system.files import write_json
from scenetext.text.normalise import normalise_for_score
from scenetext.text.photo_labels import PhotoLabel

NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class PhotoScores:
    """The scores of what was read on photos.

    Attributes:
        boxes: all boxes against all texts, by PaddleOCR's DetMetric.
        exact: the texts that were read, by PaddleOCR's end-to-end protocol.
        normalised: the same, but texts are equal in NFKC, without white space and in lower case.
        unlabelled: photos without a label, which do not count.
        unread: labels whose photo was not among those that were read, which do not count.
    """

    boxes: BoxCounts
    exact: EndToEndScores
    normalised: EndToEndScores
    unlabelled: int
    unread: int

    def as_dict(self) -> dict[str, Any]:
        """Counts and ratios, for JSON."""
        return {
            "boxes": self.boxes.as_dict(),
            "exact": self.exact.as_dict(),
            "normalised": self.normalised.as_dict(),
            "photos_without_label": self.unlabelled,
            "labels_without_photo": self.unread,
        }

    def __str__(self) -> str:
        boxes, exact, normalised = self.boxes, self.exact, self.normalised
        return (
            f"{exact.photos} photos with {exact.texts} texts\n"
            f"boxes: precision {boxes.precision:.4f}, recall {boxes.recall:.4f}, hmean {boxes.hmean:.4f}\n"
            f"end to end: precision {exact.precision:.4f}, recall {exact.recall:.4f}, F {exact.fmeasure:.4f}, "
            f"characters {exact.character_accuracy:.4f}\n"
            f"end to end, normalised: precision {normalised.precision:.4f}, recall {normalised.recall:.4f}, "
            f"F {normalised.fmeasure:.4f}, characters {normalised.character_accuracy:.4f}"
        )


def score_photos(labels: Sequence[PhotoLabel], read: Iterable[Mapping[str, Any]]) -> PhotoScores:
    """Scores photos; a photo that could not be read counts as one without any text.

    Args:
        labels: of text detection, with the transcriptions.
        read: objects of a `photos.jsonl`. A photo has the label of its name, else the one with the same bare name.

    Raises:
        InputError: two labels are of one name, or no photo has a label.
    """
    by_name = _by_name(labels)
    boxes: list[BoxCounts] = []
    exact, normalised = EndToEndScores(), EndToEndScores()
    used, unlabelled = set(), 0
    for record in read:
        label = by_name.get(record["photo"]) or by_name.get(PurePosixPath(record["photo"]).name)
        if label is None:
            unlabelled += 1
            continue
        used.add(label.name)
        lines = [PlacedText(np.array(line["points"]), line["text"]) for line in record["lines"]]
        outlines = [line.points for line in lines] + [np.array(line["points"]) for line in record["rejected"]]
        texts = [PlacedText(points, box.text) for points, box in zip(label.outlines, label.boxes, strict=True)]
        boxes.append(count_boxes(label.outlines, label.ignored, outlines))
        exact += end_to_end_scores(texts, lines)
        normalised += end_to_end_scores(texts, lines, fold=normalise_for_score)
    if not used:
        raise InputError(
            f"None of {unlabelled} photos has a label; the first label is of {labels[0].name} ({labels[0].location})."
            if labels
            else "The label file holds no label."
        )
    return PhotoScores(BoxCounts.total(boxes), exact, normalised, unlabelled, len(labels) - len(used))


def score_photo_folder(labels: Sequence[PhotoLabel], out: str | Path) -> PhotoScores:
    """Scores the `photos.jsonl` of a folder, writes `scores.json` beside it and says on stderr what did not count.

    Args:
        labels: see `score_photos`.
        out: the folder that `read_photos` wrote.

    Raises:
        InputError: see `score_photos`.
    """
    scores = score_photos(labels, read_photo_texts(Path(out) / TEXTS))
    write_json(Path(out) / SCORES, scores.as_dict())
    for count, what in ((scores.unlabelled, "photos have no label"), (scores.unread, "labels are of other photos")):
        if count:
            print(f"{count} {what}, and are not scored.", file=sys.stderr)
    return scores


def _by_name(labels: Sequence[PhotoLabel]) -> dict[str, PhotoLabel]:
    """Labels by their names, and by their bare names where these are of one label only."""
    by_name: dict[str, PhotoLabel] = {}
    bare: dict[str, list[PhotoLabel]] = {}
    for label in labels:
        first = by_name.setdefault(label.name, label)
        if first is not label:
            raise InputError(f"{label.location}: {label.name} has a label already, {first.location}: keep one of them.")
        bare.setdefault(PurePosixPath(label.name).name, []).append(label)
    return {**{name: same[0] for name, same in bare.items() if len(same) == 1}, **by_name}
